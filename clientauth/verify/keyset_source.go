package verify

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/picoauth/picoauth/clientauth/jose"
)

// maxMetadataBytes is the largest metadata document that is read.
const maxMetadataBytes = 256 << 10

// keySource gets the JWKS document. It is not safe for concurrent use: one fetch at a time uses it.
type keySource interface {
	keys(context.Context) (document []byte, header http.Header, err error)
	String() string
}

func newKeySource(cfg RemoteKeySetConfig) (keySource, error) {
	if cfg.Issuer == "" {
		return newEndpointSource(cfg.URL, cfg)
	}
	if cfg.URL != "" {
		return nil, errors.New("clientauth: a key set needs a URL, or an issuer for discovery, not both")
	}
	d := &discoveredSource{issuer: cfg.Issuer, cfg: cfg}
	for _, rawURL := range metadataURLs(cfg.Issuer) {
		document, err := newEndpointSource(rawURL, cfg)
		if err != nil {
			return nil, err
		}
		d.documents = append(d.documents, document)
	}
	return d, nil
}

// endpointSource is a document at a known URL.
type endpointSource struct {
	url    *url.URL
	client *http.Client
}

func newEndpointSource(rawURL string, cfg RemoteKeySetConfig) (*endpointSource, error) {
	u, client, err := newEndpoint(rawURL, cfg.InsecureAllowHTTP, cfg.Client)
	if err != nil {
		return nil, err
	}
	return &endpointSource{u, client}, nil
}

func (e *endpointSource) String() string { return e.url.String() }

func (e *endpointSource) keys(ctx context.Context) ([]byte, http.Header, error) {
	return e.read(ctx, jose.MaxSetBytes)
}

// statusError is a reply with a status other than 200.
type statusError int

func (s statusError) Error() string { return fmt.Sprintf("status %d", int(s)) }

func (e *endpointSource) read(ctx context.Context, limit int64) ([]byte, http.Header, error) {
	response, err := get(ctx, e.client, e.url, http.Header{})
	if err != nil {
		return nil, nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, nil, statusError(response.StatusCode)
	}
	data, err := readAll(response.Body, limit)
	return data, response.Header, err
}

// discoveredSource reads the URL of the JWKS from the issuer's metadata, and again after a fetch from that URL has failed.
type discoveredSource struct {
	issuer    string
	cfg       RemoteKeySetConfig
	documents []*endpointSource // possible locations of the metadata, tried in this order
	found     *endpointSource
}

func (d *discoveredSource) String() string { return d.documents[0].String() }

func (d *discoveredSource) keys(ctx context.Context) ([]byte, http.Header, error) {
	if d.found == nil {
		found, err := d.discover(ctx)
		if err != nil {
			return nil, nil, fmt.Errorf("discovery: %w", err)
		}
		d.found = found
	}
	document, header, err := d.found.keys(ctx)
	if err != nil {
		d.found = nil
	}
	return document, header, err
}

// discover returns the source that the metadata names. It tries the next location only after a 404.
func (d *discoveredSource) discover(ctx context.Context) (*endpointSource, error) {
	for _, document := range d.documents {
		data, _, err := document.read(ctx, maxMetadataBytes)
		if errors.Is(err, statusError(http.StatusNotFound)) {
			continue
		}
		if err != nil {
			return nil, err
		}
		keysURL, err := parseMetadata(data, d.issuer)
		if err != nil {
			return nil, err
		}
		found, err := newEndpointSource(keysURL, d.cfg)
		if err == nil && document.url.Scheme == "https" && found.url.Scheme != "https" && !d.cfg.InsecureAllowHTTP {
			err = fmt.Errorf("the jwks_uri in the metadata is not https: %.200q", keysURL)
		}
		return found, err
	}
	return nil, statusError(http.StatusNotFound)
}

// metadataURLs returns the possible locations of an issuer's metadata: the one of OpenID Connect Discovery, after the
// issuer's path, and the one of RFC 8414 section 3, before it.
func metadataURLs(issuer string) []string {
	openID := strings.TrimRight(issuer, "/") + "/.well-known/openid-configuration"
	u, err := url.Parse(issuer)
	if err != nil {
		return []string{openID} // this is not a URL either
	}
	u.Path = "/.well-known/oauth-authorization-server" + strings.TrimRight(u.Path, "/")
	return []string{openID, u.String()}
}

// parseMetadata returns jwks_uri. It refuses metadata of another issuer (RFC 8414 section 3.3).
func parseMetadata(document []byte, issuer string) (keysURL string, err error) {
	var metadata struct {
		Issuer  string `json:"issuer"`
		JWKSURI string `json:"jwks_uri"`
	}
	if err := json.Unmarshal(document, &metadata); err != nil {
		return "", errors.New("the answer is not a metadata document")
	}
	if metadata.Issuer != issuer {
		return "", fmt.Errorf("the metadata is of another issuer: %.200q", metadata.Issuer)
	}
	if metadata.JWKSURI == "" {
		return "", errors.New("the metadata has no jwks_uri")
	}
	return metadata.JWKSURI, nil
}
