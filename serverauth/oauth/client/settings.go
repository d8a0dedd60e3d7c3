package client

import (
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/picoauth/picoauth/app/config"
	"github.com/picoauth/picoauth/serverauth/oauth/internal/faults"
)

// Values of the settings for clients that describe themselves.
const (
	DocumentsOff = "off"
	DocumentsOn  = "on"

	RegistrationOff   = "off"
	RegistrationOpen  = "open"
	RegistrationToken = "token"
)

// minRegistrationToken is the minimum length of the registration token in characters: a shorter one could be guessed.
const minRegistrationToken = 32

// Settings are the keys of the configuration section oauth that describe clients.
type Settings struct {
	Clients []Config `koanf:"clients"`
	// ClientMetadataDocuments accepts every client whose client_id is the https URL of its metadata document (off or on).
	ClientMetadataDocuments string `koanf:"client_metadata_documents"`
	// InsecureClientHosts, each host[:port], may have private or loopback addresses and use http when documents and keys are
	// fetched. It is for development.
	InsecureClientHosts []string `koanf:"insecure_client_hosts"`
	// DynamicRegistration allows programs to register themselves (RFC 7591): off, open, or token for those that have
	// RegistrationToken.
	DynamicRegistration string `koanf:"dynamic_registration"`
	RegistrationToken   string `koanf:"registration_token"`
}

// DefaultSettings returns the default settings, in which there are no clients.
func DefaultSettings() Settings {
	return Settings{ClientMetadataDocuments: DocumentsOff, DynamicRegistration: RegistrationOff}
}

// Validate returns every value that the server cannot run with, each with its key in the section.
func (s Settings) Validate(known Known) error {
	f := faults.New("")
	checkAll(f, "clients", s.Clients, known)
	f.Join(
		config.CheckTexts("", s),
		config.CheckOneOf("client_metadata_documents", s.ClientMetadataDocuments, DocumentsOff, DocumentsOn),
		config.CheckOneOf("dynamic_registration", s.DynamicRegistration, RegistrationOff, RegistrationOpen, RegistrationToken),
	)
	switch {
	case s.DynamicRegistration == RegistrationToken:
		f.Join(config.CheckNotEmpty("registration_token", s.RegistrationToken), config.CheckSecret("registration_token", s.RegistrationToken, minRegistrationToken))
	case s.RegistrationToken != "":
		f.Add("registration_token", "needs dynamic_registration: token")
	}
	for i, text := range s.InsecureClientHosts {
		if !isHost(text) {
			f.Add(fmt.Sprintf("insecure_client_hosts[%d]", i), "%q is not host or host:port", config.WithoutUserinfo(text))
		}
	}
	return f.Err()
}

// isHost reports whether a text can be the host of a URL, with or without a port.
func isHost(text string) bool {
	host, port, err := net.SplitHostPort(text)
	if err != nil { // there is no port
		host, port = strings.Trim(text, "[]"), "1"
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return host != "" && n > 0 && err == nil && !strings.ContainsAny(host, "/*@?# ") && (!strings.Contains(host, ":") || net.ParseIP(host) != nil)
}
