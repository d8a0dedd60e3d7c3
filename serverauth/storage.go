package serverauth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth/keys"
)

const (
	memoryScheme = "memory"
	sqliteScheme = "sqlite"
	sqliteFile   = "picoauth.db"
	keyFolder    = "keys"
)

// StorageURL is where everything is kept that has no URL of its own: storage_url, or SQLite in data_dir, or memory.
func (s ServerAuthSettings) StorageURL() string {
	switch {
	case s.Storage != "":
		return s.Storage
	case s.DataDir != "":
		return sqliteScheme + ":" + filepath.Join(s.DataDir, sqliteFile)
	default:
		return memoryScheme + ":"
	}
}

// storage opens the backends that the settings name, each URL once and only when a role asks for it: a store that the
// app replaces is never opened.
type storage struct {
	settings ServerAuthSettings
	backends map[string]Backend
	config   BackendConfig
	metrics  *Instruments

	mu     sync.Mutex
	opened map[string]*Stores
	files  keys.Store // of keys, once they are open; nil where they are in no files
}

func newStorage(settings ServerAuthSettings, backends []Backend, clock app.Clock, log *slog.Logger) (*storage, error) {
	s := &storage{
		settings: settings, backends: make(map[string]Backend), opened: make(map[string]*Stores),
		config: BackendConfig{Settings: settings, Clock: clockOr(clock), Log: log},
	}
	for _, backend := range append([]Backend{memoryBackend{}}, backends...) {
		for _, scheme := range backend.Schemes() {
			if s.backends[scheme] != nil {
				return nil, fmt.Errorf("serverauth: two backends for %s: URLs", scheme)
			}
			s.backends[scheme] = backend
		}
	}
	if settings.KeyEncryptionKey != "" {
		key, err := keys.ParseEncryptionKey(settings.KeyEncryptionKey)
		if err != nil {
			return nil, err
		}
		s.config.EncryptionKey = key
	}
	return s, nil
}

// stores opens the URL of a role, named by its setting, or returns what was opened.
func (s *storage) stores(ctx context.Context, setting, text string) (*Stores, error) {
	if text == "" {
		setting, text = "storage_url", s.settings.StorageURL()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if stores := s.opened[text]; stores != nil {
		return stores, nil
	}
	backend, err := s.backend(text)
	if err != nil {
		return nil, fmt.Errorf("%s.%s: %w", SettingsSection, setting, err)
	}
	if _, err := s.keyFiles(ctx); err != nil {
		return nil, err
	}
	config := s.config
	config.URL = text
	stores, err := backend.Open(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("%s.%s: %w", SettingsSection, setting, err)
	}
	s.opened[text] = stores
	return stores, nil
}

// backend finds the backend of a URL. Its errors show the scheme only: the rest may hold a password.
func (s *storage) backend(text string) (Backend, error) {
	scheme, _, found := strings.Cut(text, ":")
	if !found {
		return nil, errors.New("is not a URL such as memory:, sqlite:path or postgres://…")
	}
	if backend := s.backends[scheme]; backend != nil {
		return backend, nil
	}
	known := make([]string, 0, len(s.backends))
	for name := range s.backends {
		known = append(known, name)
	}
	slices.Sort(known)
	return nil, fmt.Errorf("no backend for %q URLs in this program; it has %s", scheme, strings.Join(known, ", "))
}

func role[T any](s *storage, setting, text string, pick func(*Stores) T) (store T, err error) {
	stores, err := s.stores(context.Background(), setting, text)
	if err != nil {
		return store, err
	}
	if store = pick(stores); any(store) == nil {
		return store, fmt.Errorf("%s.%s: this storage cannot play the role", SettingsSection, setting)
	}
	return store, nil
}

func (s *storage) challenges() (ChallengeStore, error) {
	store, err := role(s, "challenge_storage_url", s.settings.ChallengeStorage, func(all *Stores) ChallengeStore { return all.Challenges })
	return meteredChallenges{store, s.metrics}, err
}

func (s *storage) sessions() (SessionStore, error) {
	store, err := role(s, "session_storage_url", s.settings.SessionStorage, func(all *Stores) SessionStore { return all.Sessions })
	return meteredSessions{store, s.metrics}, err
}

func (s *storage) revocations() (RevocationStore, error) {
	store, err := role(s, "revocation_storage_url", s.settings.RevocationStorage, func(all *Stores) RevocationStore { return all.Revocations })
	return meteredRevocations{store, s.metrics}, err
}

func (s *storage) mints() (MintStore, error) {
	store, err := role(s, "mint_storage_url", s.settings.MintStorage, func(all *Stores) MintStore { return all.Mints })
	return meteredMints{store, s.metrics}, err
}

func (s *storage) inMemory(text string) bool {
	if text == "" {
		text = s.settings.StorageURL()
	}
	return strings.HasPrefix(text, memoryScheme+":")
}

// each calls a function for everything that was opened.
func (s *storage) each(do func(*Stores) error) error {
	s.mu.Lock()
	opened := make([]*Stores, 0, len(s.opened))
	for _, stores := range s.opened {
		opened = append(opened, stores)
	}
	s.mu.Unlock()
	var all error
	for _, stores := range opened {
		all = errors.Join(all, do(stores))
	}
	return all
}

// ready is the readiness check of all storage.
func (s *storage) ready(ctx context.Context) error {
	return s.each(func(stores *Stores) error {
		if stores.Ready == nil {
			return nil
		}
		return stores.Ready(ctx)
	})
}

func (s *storage) close() error {
	return s.each(func(stores *Stores) error {
		if stores.Close == nil {
			return nil
		}
		return stores.Close()
	})
}

// watch returns the Watch of the storage of revocations, or nil.
func (s *storage) watch() func(context.Context) error {
	text := s.settings.RevocationStorage
	if text == "" {
		text = s.settings.StorageURL()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if stores := s.opened[text]; stores != nil {
		return stores.Watch
	}
	return nil
}

// memoryBackend keeps everything in the process, and loses it with the process.
type memoryBackend struct{}

func (memoryBackend) Schemes() []string { return []string{memoryScheme} }

func (memoryBackend) Open(_ context.Context, c BackendConfig) (*Stores, error) {
	challenges, err := NewInMemoryChallengeStore(c.Settings, c.Clock)
	if err != nil {
		return nil, err
	}
	return &Stores{
		Challenges: challenges, Sessions: NewInMemorySessionStore(), Revocations: NewInMemoryRevocationStore(c.Clock),
		Mints: NewInMemoryMintStore(), Keys: keys.NewMemoryStore(),
	}, nil
}

// checkStorageURL refuses what cannot be a storage URL, without repeating it: it may hold a password.
func checkStorageURL(name, text string) error {
	if text == "" {
		return nil
	}
	if u, err := url.Parse(text); err != nil || u.Scheme == "" {
		return &app.ConfigError{Key: name, Reason: "is not a URL such as memory:, sqlite:path, postgres://… or redis://…"}
	}
	return nil
}
