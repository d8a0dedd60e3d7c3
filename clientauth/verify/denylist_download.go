package verify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

var errNoProgress = errors.New("the rest of the answer did not arrive in time")

// download updates the index. If the last reply had a sequence number, it adds the items since then. Otherwise it reads the
// whole list, which replaces the index.
func (d *RemoteDenylist) download(ctx context.Context) error {
	partial := d.seq != nil
	target := d.index
	if !partial {
		target = d.index.sibling()
	}
	var first revocationPage
	var etag string
	for items, after := 0, ""; ; {
		page, header, err := d.page(ctx, after, items, target.Apply)
		if err != nil || header == nil {
			return err
		}
		if after == "" {
			first, etag = page, header.Get("ETag")
		}
		if items += page.items; page.next == "" {
			break
		}
		if page.items == 0 {
			return fmt.Errorf("%w: a page without items names a next page", errNotDenylist)
		}
		after = page.next
	}
	if !partial {
		d.index.adopt(target)
	} else if first.seq != nil && *first.seq < *d.seq {
		// The issuer has sent the whole list. The items that it had before are kept here.
		d.log.ErrorContext(ctx, "store_went_back", "event", "store_went_back", "store", "denylist", "url", d.url.String(),
			"seq", *d.seq, "stored_seq", *first.seq)
	}
	d.seq, d.etag = first.seq, etag
	return nil
}

// page fetches the page after the given one, or the first if that is empty. The header is nil if nothing has changed.
func (d *RemoteDenylist) page(ctx context.Context, after string, items int, apply func(...Revocation)) (page revocationPage, header http.Header, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	timer := time.AfterFunc(d.idle, func() { cancel(errNoProgress) })
	defer timer.Stop()
	defer func() {
		if err != nil && errors.Is(context.Cause(ctx), errNoProgress) {
			err = errNoProgress
		}
	}()
	response, err := d.request(ctx, after)
	if err != nil {
		return page, nil, err
	}
	defer response.Body.Close()
	switch {
	case response.StatusCode == http.StatusNotModified && d.etag != "" && after == "":
		return page, nil, nil
	case response.StatusCode != http.StatusOK:
		return page, nil, fmt.Errorf("status %d", response.StatusCode)
	}
	page, err = readRevocations(&progress{body: response.Body, made: func() { timer.Reset(d.idle) }}, items, apply)
	if err == nil {
		_, _ = io.CopyN(io.Discard, response.Body, denylistProgress) // read to the end, so that the connection is used again
	}
	return page, response.Header, err
}

func (d *RemoteDenylist) request(ctx context.Context, after string) (*http.Response, error) {
	header, u := d.header.Clone(), *d.url
	query := u.Query()
	query.Set("limit", denylistPageItems)
	if d.seq != nil {
		query.Set("since", strconv.FormatInt(*d.seq, 10))
	}
	if after != "" {
		query.Set("after", after)
	} else if d.etag != "" {
		header.Set("If-None-Match", d.etag)
	}
	u.RawQuery = query.Encode()
	return get(ctx, d.client, &u, header)
}

// denylistProgress is the number of bytes that must arrive within the idle time of a fetch.
const denylistProgress = 4 << 10

// progress is a reader that calls made whenever denylistProgress more bytes have arrived.
type progress struct {
	body  io.Reader
	bytes int
	made  func()
}

// Read implements io.Reader.
func (p *progress) Read(b []byte) (int, error) {
	n, err := p.body.Read(b)
	if p.bytes += n; p.bytes >= denylistProgress {
		p.bytes = 0
		p.made()
	}
	return n, err
}
