package client

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/picoauth/picoauth/app/config"
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
	var token error
	switch {
	case s.DynamicRegistration == RegistrationToken:
		token = errors.Join(config.CheckNotEmpty("registration_token", s.RegistrationToken), config.CheckSecret("registration_token", s.RegistrationToken, minRegistrationToken))
	case s.RegistrationToken != "":
		token = fault("registration_token", "needs dynamic_registration: token")
	}
	return errors.Join(
		checkAll("clients", s.Clients, known),
		config.CheckTexts("", s),
		config.CheckOneOf("client_metadata_documents", s.ClientMetadataDocuments, DocumentsOff, DocumentsOn),
		config.CheckOneOf("dynamic_registration", s.DynamicRegistration, RegistrationOff, RegistrationOpen, RegistrationToken),
		token,
		s.checkInsecureHosts(),
	)
}

// checkInsecureHosts refuses what cannot be the host of a URL.
func (s Settings) checkInsecureHosts() error {
	var all []error
	for i, text := range s.InsecureClientHosts {
		host, port, err := net.SplitHostPort(text)
		if err != nil { // there is no port
			host, port = strings.Trim(text, "[]"), "1"
		}
		n, notNumber := strconv.ParseUint(port, 10, 16)
		if host == "" || n == 0 || notNumber != nil || strings.ContainsAny(host, "/*@?# ") || strings.Contains(host, ":") && net.ParseIP(host) == nil {
			all = append(all, fault(fmt.Sprintf("insecure_client_hosts[%d]", i), "%q is not host or host:port", config.WithoutUserinfo(text)))
		}
	}
	return errors.Join(all...)
}
