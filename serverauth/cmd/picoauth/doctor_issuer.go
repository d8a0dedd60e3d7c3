package main

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/picoauth/picoauth/serverauth"
)

const (
	// tolerableSkew is the accuracy of the clock check: the delay of the network, and Date has whole seconds.
	tolerableSkew = 5 * time.Second
	// staleDenylist is the age of a denylist that shows a problem: a server reads it every second from its store.
	staleDenylist = 30 * time.Second
	// certificateLeft is the remaining life of a certificate below which its renewal is late.
	certificateLeft = 14 * 24 * time.Hour
)

// liveIssuer is what a running server says about itself.
type liveIssuer struct {
	url    string
	issuer string        // from discovery
	signs  string        // algorithm of its tokens
	keys   []publicKey   // all published keys
	skew   time.Duration // its clock minus ours
}

type publicKey struct {
	ID        string `json:"kid"`
	Algorithm string `json:"alg"`
}

// answer is a reply with its body, of at most maxReply bytes.
type answer struct {
	*http.Response
	body []byte
}

func get(ctx context.Context, client *http.Client, address string, header http.Header) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, doctorPatience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return answer{}, err
	}
	request.Header = header
	reply, err := client.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = reply.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(reply.Body, maxReply))
	return answer{reply, body}, err
}

// examineIssuer checks a running server. It returns nil if it cannot reach the server.
func (e *examination) examineIssuer(ctx context.Context, address string, server *serverSettings) *liveIssuer {
	client := newHTTPClient()
	live := &liveIssuer{url: address}
	if !strings.HasPrefix(address, "https:") && !isLoopback(address) {
		e.wrong("TLS", "put a proxy with a certificate in front, and set the issuer to https://…", "%s is not https: tokens can be read on the network", address)
	}
	began := time.Now()
	ready, err := get(ctx, client, address+"/readyz", nil)
	if err != nil {
		e.unreachable(address, err)
		return nil
	}
	e.check("TLS", func() { e.examineCertificate(ready) })
	e.check("readiness", func() {
		if ready.StatusCode != http.StatusOK {
			e.wrong("readiness", "its log says which check failed: look for \"not ready\"", "/readyz answers %d: the server cannot do what requests need", ready.StatusCode)
		}
	})
	e.check("clock", func() { e.examineClock(live, ready, began, server) })
	e.check("discovery", func() { e.examineDiscovery(ctx, client, live) })
	e.check("keys", func() { e.examineKeys(ctx, client, live) })
	e.check("metrics", func() { e.examineMetrics(ctx, client, live) })
	return live
}

func (e *examination) unreachable(address string, err error) {
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var certificate x509.CertificateInvalidError
	switch {
	case errors.As(err, &authority):
		e.wrong("TLS", "send the whole chain from the proxy; or trust the private authority: SSL_CERT_FILE=ca.pem, in clients auth_client.ca_file",
			"the certificate of %s was issued by an authority that is not trusted here", address)
	case errors.As(err, &host):
		e.wrong("TLS", "get a certificate for that name, or set the issuer to a name in the certificate", "the certificate of %s is for another name: %s", address, host.Error())
	case errors.As(err, &certificate):
		e.wrong("TLS", "renew the certificate; if it is valid, this machine's clock is wrong", "the certificate of %s is not valid: %s", address, certificate.Error())
	default:
		e.wrong("reachability", "check that the server runs (picoauth serve), that it listens where the URL leads (app.host, app.port), and that no firewall is in between",
			"%s cannot be reached: %s", address, err)
	}
}

func (e *examination) examineCertificate(reply answer) {
	if reply.TLS == nil || len(reply.TLS.PeerCertificates) == 0 {
		return
	}
	if ends := reply.TLS.PeerCertificates[0].NotAfter; time.Until(ends) < certificateLeft {
		e.advise("TLS", "check why it was not renewed", "the certificate expires at %s", ends.UTC().Format(time.RFC3339))
	}
}

func (e *examination) examineClock(live *liveIssuer, reply answer, began time.Time, server *serverSettings) {
	date, err := http.ParseTime(reply.Header.Get("Date"))
	if err != nil {
		e.advise("clock", "let the proxy pass the header Date", "the server's replies have no Date, so the clocks cannot be compared")
		return
	}
	middle := began.Add(time.Since(began) / 2)
	live.skew = date.Add(time.Second / 2).Sub(middle) // Date has whole seconds
	tolerated := serverauth.DefaultServerAuthSettings().ClockSkew()
	if server != nil {
		tolerated = server.auth.ClockSkew()
	}
	const cure = "synchronise both clocks (chrony, systemd-timesyncd)"
	switch {
	case live.skew.Abs() > max(tolerated, tolerableSkew):
		e.wrong("clock", cure, "the server's clock is %s, more than is tolerated: tokens are refused as expired or not yet valid", live.drift())
	case live.skew.Abs() > tolerableSkew:
		e.advise("clock", cure, "the server's clock is %s", live.drift())
	}
}

func (l *liveIssuer) drift() string {
	if l.skew > 0 {
		return roughly(l.skew) + " ahead of this machine's"
	}
	return roughly(l.skew) + " behind this machine's"
}

func (e *examination) examineDiscovery(ctx context.Context, client *http.Client, live *liveIssuer) {
	const path = "/.well-known/openid-configuration"
	var metadata struct {
		Issuer     string   `json:"issuer"`
		Algorithms []string `json:"id_token_signing_alg_values_supported"`
	}
	reply, err := get(ctx, client, live.url+path, nil)
	if err != nil || reply.StatusCode != http.StatusOK || json.Unmarshal(reply.body, &metadata) != nil || metadata.Issuer == "" {
		e.wrong("discovery", "let the proxy pass every path to the server, and check that the URL is that of a picoauth server",
			"%s%s is not a discovery document (%s)", live.url, path, outcome(reply, err))
		return
	}
	live.issuer = metadata.Issuer
	if len(metadata.Algorithms) > 0 {
		live.signs = metadata.Algorithms[0]
	}
	if live.issuer != live.url {
		e.wrong("discovery", fmt.Sprintf("set server_auth.issuer to %s, or reach the server by the URL that is its issuer", live.url),
			"the server at %s has the issuer %s: that is the iss of its tokens, and clients that expect the other one refuse them", live.url, live.issuer)
	}
}

// outcome describes an unexpected reply, or err.
func outcome(reply answer, err error) string {
	if err != nil {
		return err.Error()
	}
	return "status " + strconv.Itoa(reply.StatusCode) + ", " + reply.Header.Get("Content-Type")
}

func (e *examination) examineKeys(ctx context.Context, client *http.Client, live *liveIssuer) {
	address := live.url + serverauth.Prefix + "/jwks"
	keys, problem := fetchKeys(ctx, client, address)
	if problem != "" {
		e.wrong("keys", "see the server's log, and picoauth keys list", "%s", problem)
		return
	}
	live.keys = keys
	if live.signs != "" && !slices.ContainsFunc(keys, func(k publicKey) bool { return k.Algorithm == live.signs }) {
		e.wrong("keys", "check that no cache in between keeps an old key set: it must obey the reply's Cache-Control", "tokens are signed with %s, but no published key is for it", live.signs)
	}
}

// fetchKeys returns the keys of a key set, or the problem with it.
func fetchKeys(ctx context.Context, client *http.Client, address string) (keys []publicKey, problem string) {
	var set struct {
		Keys []publicKey `json:"keys"`
	}
	reply, err := get(ctx, client, address, nil)
	if err != nil || reply.StatusCode != http.StatusOK || json.Unmarshal(reply.body, &set) != nil {
		return nil, fmt.Sprintf("%s is not a key set (%s)", address, outcome(reply, err))
	}
	if len(set.Keys) == 0 {
		return nil, address + " has no keys"
	}
	return set.Keys, ""
}

var denylistAge = regexp.MustCompile(`(?m)^picoauth_denylist_age_seconds ([0-9.e+-]+)$`)

// examineMetrics checks the age of the denylist in the metrics, if they are accessible.
func (e *examination) examineMetrics(ctx context.Context, client *http.Client, live *liveIssuer) {
	reply, err := get(ctx, client, live.url+"/metrics", nil)
	if err != nil || reply.StatusCode != http.StatusOK {
		e.skip("denylist age: /metrics cannot be read from here (%s)", outcome(reply, err))
		return
	}
	if !isLoopback(live.url) {
		e.advise("metrics", "set app.admin_port, and make that port reachable from inside only", "everybody can read %s/metrics", live.url)
	}
	found := denylistAge.FindSubmatch(reply.body)
	if found == nil {
		return
	}
	if age, err := strconv.ParseFloat(string(found[1]), 64); err == nil && age > staleDenylist.Seconds() {
		e.wrong("denylist", "check that the storage of revocations answers; if it does not, the server's log says why", "the server read its denylist %s ago: revoked tokens pass", roughly(time.Duration(age*float64(time.Second))))
	}
}
