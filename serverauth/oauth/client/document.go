package client

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/picoauth/picoauth/serverauth/internal/events"
)

// ErrUnreachable is returned for a client whose metadata document cannot be fetched now.
var ErrUnreachable = errors.New("the metadata document of the client cannot be fetched")

// Limits of documents.
const (
	maxDocumentID  = 1024 // bytes of a client_id that is a URL
	maxDocuments   = 500
	minDocumentTTL = time.Minute
	maxDocumentTTL = 24 * time.Hour
	// documentPause is the time until the next fetch of a document that could not be fetched or was refused.
	documentPause = 10 * time.Second
	// documentGrace is how long a document is used after it has expired, while it cannot be fetched.
	documentGrace = 24 * time.Hour
)

// documents finds clients whose client_id is the URL of a metadata document (the OAuth draft Client ID Metadata Document).
type documents struct {
	registry *Registry
	flights  singleflight.Group

	mu   sync.Mutex
	kept map[string]document
}

// document is the result of the last fetch.
type document struct {
	client *Client // nil: not fetched, or refused
	err    error
	fresh  time.Time // until when it is used without a fetch
	usable time.Time // until when it is used while it cannot be fetched
}

// isDocumentID reports whether a client_id is the URL of a metadata document: https (or what the fetcher allows) with a plain host
// and a path, and without fragment, user information and dot segments.
func (d *documents) isDocumentID(id string) bool {
	if !strings.HasPrefix(id, "https://") && !strings.HasPrefix(id, "http://") || len(id) > maxDocumentID {
		return false
	}
	u, err := url.Parse(id)
	if err != nil || u.Hostname() == "" || u.User != nil || !hasPlainHost(id, u) || strings.Contains(id, "#") || strings.Trim(u.Path, "/") == "" ||
		strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' || r == '\\' }) {
		return false
	}
	for segment := range strings.SplitSeq(u.Path, "/") { // in u.Path, %2e is decoded
		if segment == "." || segment == ".." {
			return false
		}
	}
	return d.registry.fetcher.check(u) == nil
}

// find returns the client of a document. The error is ErrUnknown if the document does not exist or is refused, and ErrUnreachable
// if it cannot be fetched now.
func (d *documents) find(ctx context.Context, id string) (*Client, error) {
	d.mu.Lock()
	last, known := d.kept[id]
	d.mu.Unlock()
	if known && d.registry.now().Before(last.fresh) {
		return last.client, last.err
	}
	flight := d.flights.DoChan(id, func() (any, error) {
		within, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
		defer cancel()
		return d.fetch(within, id, last), nil
	})
	select {
	case done := <-flight:
		found := done.Val.(document)
		return found.client, found.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// fetch gets a document and keeps the result.
func (d *documents) fetch(ctx context.Context, id string, last document) document {
	now := d.registry.now()
	body, header, err := d.registry.fetcher.get(ctx, id)
	next := document{fresh: now.Add(documentPause)}
	switch gone := statusError(0); {
	case err == nil:
		if next.client, err = d.read(id, body); err == nil {
			next.fresh = now.Add(documentTTL(header))
			next.usable = next.fresh.Add(documentGrace)
			break
		}
		next.err = fmt.Errorf("%w: its metadata document is refused: %w", ErrUnknown, err)
	case errors.As(err, &gone) && (gone == http.StatusNotFound || gone == http.StatusGone):
		next.err = fmt.Errorf("%w: its metadata document no longer exists (%w)", ErrUnknown, err)
	case last.client != nil && now.Before(last.usable):
		next.client, next.usable = last.client, last.usable
	default:
		next.err = fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	if err != nil {
		events.Log(ctx, d.registry.log, events.ClientDocumentRefused, "client_id", id, "reason", err.Error())
	}
	d.keep(id, next)
	return next
}

// read returns the client that a document describes.
func (d *documents) read(id string, body []byte) (*Client, error) {
	m, err := parseMetadata(body)
	if err != nil {
		return nil, err
	}
	if m.ClientID != id {
		return nil, metadataFault("the client_id in the document is not its URL")
	}
	if fault := m.check(); fault != nil {
		return nil, fault
	}
	made := m.config().client(Document)
	if m.Name == "" {
		made.Name = made.Host("")
	}
	made.keys, err = d.registry.keysOf(made, m.JWKS)
	return made, err
}

// keep stores a result. To stay within maxDocuments, it first removes those that are not fresh, then arbitrary ones.
func (d *documents) keep(id string, next document) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, known := d.kept[id]; !known && len(d.kept) >= maxDocuments {
		now := d.registry.now()
		maps.DeleteFunc(d.kept, func(_ string, one document) bool { return now.After(one.fresh) })
		for other := range d.kept {
			if len(d.kept) < maxDocuments {
				break
			}
			delete(d.kept, other)
		}
	}
	d.kept[id] = next
}

// documentTTL returns the max-age of Cache-Control, limited to between a minute and a day.
func documentTTL(header http.Header) time.Duration {
	for directive := range strings.SplitSeq(strings.Join(header.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		switch strings.ToLower(name) {
		case "no-store", "no-cache":
			return minDocumentTTL
		case "max-age":
			seconds, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31)
			if err != nil {
				return minDocumentTTL
			}
			return min(max(time.Duration(seconds)*time.Second, minDocumentTTL), maxDocumentTTL)
		}
	}
	return minDocumentTTL
}
