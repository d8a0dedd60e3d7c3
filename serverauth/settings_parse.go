package serverauth

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/picoauth/picoauth/app/config"
	"github.com/picoauth/picoauth/serverauth/internal/password"
	"github.com/picoauth/picoauth/serverauth/keys"
	"github.com/picoauth/picoauth/serverauth/wallet"
	"github.com/picoauth/picoauth/serverauth/wallet/onchain"
)

// parsedSettings are the parsed values of settings that are texts in a format. No other code parses these texts.
type parsedSettings struct {
	issuer        *url.URL
	domains       []wallet.Domain    // allowed_domains
	chains        []wallet.ChainID   // allowed_chains
	admin         password.Check     // nil: login with a password is disabled
	endpoints     []onchain.Endpoint // ethereum_rpc_urls
	encryptionKey *keys.EncryptionKey
}

// parse parses the texts. The error names the key of every invalid one.
func (s ServerAuthSettings) parse() (p parsedSettings, err error) {
	var faults [6]error
	p.issuer, faults[0] = parseIssuer(s.Issuer)
	p.encryptionKey, faults[1] = parseEncryptionKey(s.KeyEncryptionKey)
	p.endpoints, faults[2] = parseList("ethereum_rpc_urls", s.EthereumRPCURLs, onchain.ParseEndpoint) // no error shows a URL, which may hold a key
	p.domains, faults[3] = parseList("allowed_domains", s.AllowedDomains, func(text string) (wallet.Domain, error) {
		domain, err := wallet.ParseDomain(text)
		isEither := domain.Scheme == "" && domain.Allows("http", domain.Host) // a loopback host: the port is the own one of only one
		if scheme, host, _ := strings.Cut(domain.Origin(), "://"); err == nil && !isEither && withoutDefaultPort(scheme, host) != host {
			return domain, fmt.Errorf("%q has its scheme's own port, which location.host of a page never has: leave it out", text)
		}
		return domain, unless(err, "%q is not [scheme://]host[:port]", config.WithoutUserinfo(text))
	})
	if s.AllowedDomains == nil && p.issuer != nil {
		p.domains = []wallet.Domain{siteOf(p.issuer)}
	}
	p.chains, faults[4] = parseList("allowed_chains", s.AllowedChains, func(text string) (wallet.ChainID, error) {
		chain, err := wallet.ParseAllowedChain(text)
		return chain, unless(err, "%q is not a CAIP-2 chain such as eip155:1, or eip155:* or solana:* for all chains of a namespace", text)
	})
	if s.AutoCreateAdmin {
		p.admin, faults[5] = adminPassword(s.AdminPassword)
	}
	return p, errors.Join(faults[:]...)
}

func unless(err error, reason string, of any) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf(reason, of)
}

// parseList parses the texts of a list. read returns the reason if a text is invalid.
func parseList[T any](key string, texts []string, read func(text string) (T, error)) (list []T, err error) {
	for i, text := range texts {
		item, wrong := read(text)
		if wrong != nil {
			err = errors.Join(err, &config.Error{Key: fmt.Sprintf("%s[%d]", key, i), Reason: wrong.Error()})
			continue
		}
		list = append(list, item)
	}
	return list, err
}

// siteOf returns the domain of the issuer, without its path, as location.host of the server's own pages is.
func siteOf(issuer *url.URL) wallet.Domain {
	return wallet.Domain{Scheme: issuer.Scheme, Host: withoutDefaultPort(issuer.Scheme, strings.ToLower(issuer.Host))}
}

func withoutDefaultPort(scheme, host string) string {
	return strings.TrimSuffix(host, map[string]string{"http": ":80", "https": ":443"}[scheme])
}

func parseIssuer(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil ||
		strings.HasSuffix(text, "/") || strings.ContainsAny(text, "{},?#") {
		return nil, &config.Error{Key: "issuer", Reason: fmt.Sprintf(
			"%q is not a single http or https URL without user information, query, fragment, trailing slash, commas and braces", config.WithoutUserinfo(text))}
	}
	if _, err := wallet.ParseDomain(u.Scheme + "://" + u.Host); err != nil {
		return nil, &config.Error{Key: "issuer", Reason: fmt.Sprintf("%q has an invalid host: use an IP address or a DNS name in ASCII (punycode for other letters)", text)}
	}
	if strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`"<>\^|`+"`", r) }) {
		return nil, &config.Error{Key: "issuer", Reason: fmt.Sprintf("%q has a character that a URL cannot have: percent-encode it", text)}
	}
	return u, nil
}

func parseEncryptionKey(text string) (*keys.EncryptionKey, error) {
	if text == "" {
		return nil, nil
	}
	key, err := keys.ParseEncryptionKey(text)
	if err != nil {
		return nil, &config.Error{Key: "key_encryption_key", Reason: "must be 32 bytes as hex or base64"}
	}
	return key, nil
}
