//go:build !unix

package private

import "os"

func ownerOf(os.FileInfo) (uid int, known bool) { return 0, false }
