package claims

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/v2"
	"go.yaml.in/yaml/v3"

	"github.com/picoauth/picoauth/app/config"
	"github.com/picoauth/picoauth/serverauth/store"
)

const (
	// maxFile is the maximum size of subjects_file in bytes.
	maxFile = 64 << 20
	// settledAfter is the age from which on an unchanged time stamp means that the file has not changed: the time stamps of file
	// systems have a limited precision.
	settledAfter = 2 * time.Second
)

// file is the Provider of subjects_file. It checks at each call whether the file has changed, and then reads it again. While the
// file has errors, the last valid list is used.
type file struct {
	path  string
	known func(address string) bool
	log   *slog.Logger

	mu      sync.Mutex
	table   table
	seen    os.FileInfo // nil: the file could not be read
	content []byte      // what was read last, valid or not
	settled bool
	fault   string // of the last reading, which has been logged
}

// openFile reads the file. It returns an error for an invalid file.
func openFile(path string, known func(string) bool, log *slog.Logger) (*file, error) {
	f := &file{path: path, known: known, log: log}
	if err := f.read(); err != nil {
		return nil, err
	}
	return f, nil
}

// Claims implements Provider.
func (f *file) Claims(ctx context.Context, subject store.Subject) (Claims, error) {
	return f.current(ctx).Claims(ctx, subject)
}

func (f *file) current(ctx context.Context) table {
	f.mu.Lock()
	defer f.mu.Unlock()
	info, err := os.Stat(f.path)
	if err == nil && f.settled && os.SameFile(info, f.seen) && info.Size() == f.seen.Size() && info.ModTime().Equal(f.seen.ModTime()) {
		return f.table
	}
	entries := len(f.table)
	before := f.content
	if err := f.read(); err != nil {
		if f.fault != err.Error() {
			f.fault = err.Error()
			f.log.ErrorContext(ctx, "subjects_file is not valid: the last valid list is still used", "path", f.path, "entries", entries, "error", err)
		}
		return f.table
	}
	recovered := f.fault != ""
	f.fault = ""
	if recovered || !bytes.Equal(before, f.content) {
		f.log.InfoContext(ctx, "subjects_file was read again", "path", f.path, "entries", len(f.table))
	}
	return f.table
}

// read sets the table if the file is valid.
func (f *file) read() error {
	f.seen, f.settled = nil, false
	content, info, err := readBounded(f.path)
	if err != nil {
		return err
	}
	f.seen, f.settled = info, time.Since(info.ModTime()).Abs() > settledAfter
	if f.fault == "" && f.content != nil && bytes.Equal(content, f.content) {
		return nil
	}
	f.content = content
	entries, err := parseFile(content, f.known)
	if err != nil {
		return err
	}
	f.table = entries
	return nil
}

func readBounded(path string) ([]byte, os.FileInfo, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, nil, err
	}
	if info.Mode().Perm()&0o002 != 0 {
		return nil, nil, fmt.Errorf("%s: every user can write to it (mode %#o): make it private (chmod o-w)", path, info.Mode().Perm())
	}
	content, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err == nil && len(content) > maxFile {
		err = fmt.Errorf("%s is larger than %d bytes", path, maxFile)
	}
	return content, info, err
}

// CheckFile returns all faults of a subjects_file that can be found before the app's wallet schemes are known.
func CheckFile(path string) error { return CheckFileOf(path, anyAddress) }

// CheckFileOf is CheckFile when these schemes are known; see Config.Known.
func CheckFileOf(path string, known func(address string) bool) error {
	content, _, err := readBounded(path)
	if err == nil {
		_, err = parseFile(content, known)
	}
	var named *config.Error
	if err != nil && !errors.As(err, &named) {
		return &config.Error{Key: "subjects_file", Reason: err.Error()}
	}
	return err
}

// document is the content of subjects_file.
type document struct {
	Subjects []Entry `koanf:"subjects"`
}

// errNoSubjects is for an empty file, which may be one that is just being written.
var errNoSubjects = errors.New(`has no list under "subjects"; write subjects: [] for an empty one`)

// parseFile parses the file as strictly as the configuration.
func parseFile(content []byte, known func(address string) bool) (table, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	var values map[string]any
	if err := decoder.Decode(&values); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("is not a YAML mapping: %w", err)
	}
	if err := decoder.Decode(new(any)); !errors.Is(err, io.EOF) {
		return nil, errors.New("holds more than one YAML document")
	}
	if _, isList := values["subjects"].([]any); !isList {
		return nil, errNoSubjects
	}
	k := koanf.New(".")
	if err := k.Load(confmap.Provider(map[string]any{"subjects_file": values}, ""), nil); err != nil {
		return nil, err
	}
	read, err := config.Section(k, "subjects_file", document{})
	if err != nil {
		return nil, err
	}
	return newTable("subjects_file.subjects", read.Subjects, known)
}
