package serverauth_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/knadh/koanf/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/app/config"
	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/testutil"
)

// subjectForms are the ways in which an operator may write the wallet's address.
func subjectForms(w *testutil.Wallet) map[string]string {
	forms := map[string]string{"as it is": w.Address, "white space": " " + w.Address + "\n"}
	switch w.Algorithm {
	case "eip191":
		forms["lower case"] = strings.ToLower(w.Address)
		forms["CAIP-10"] = "eip155:1:" + w.Address
		forms["did:pkh"] = "did:pkh:eip155:137:" + strings.ToLower(w.Address)
		forms["0X"] = "0X" + strings.ToUpper(w.Address[2:])
		forms["without 0x"] = strings.ToLower(w.Address[2:])
	default:
		forms["upper case"] = strings.ToUpper(w.Address)
		forms["0X"] = "0X" + strings.ToUpper(w.Address)
	}
	return forms
}

func TestSubjectsOfTheFileDecideWhoSomebodyIs(t *testing.T) {
	for _, algorithm := range []string{"eip191", "Ed25519", "secp256k1", "ML-DSA-65"} {
		w := newWallet(t, algorithm)
		for name, form := range subjectForms(w) {
			t.Run(algorithm+" "+name, func(t *testing.T) {
				s := startServer(t, map[string]any{"subjects": []any{map[string]any{
					"sub": form, "role": "editor", "groups": []any{"staff", "press"}, "scope": "articles:read articles:write",
					"email": "ada@example.com", "name": "Ada Lovelace", "claims": map[string]any{"plan": "pro", "https://example.com/seats": 3},
				}}})
				in := s.signIn(w)
				for _, token := range []string{in.Access, s.refresh(in.Refresh).tokens(t).Access} {
					claims := jwtPart(t, token, 1)
					for claim, want := range map[string]any{
						"role": "editor", "groups": []any{"staff", "press"}, "scope": "articles:read articles:write",
						"email": "ada@example.com", "name": "Ada Lovelace", "plan": "pro", "https://example.com/seats": 3.0,
					} {
						assert.Equal(t, want, claims[claim], claim)
					}
				}
				other := s.signIn(newWallet(t, algorithm))
				assert.Equal(t, "wallet", jwtPart(t, other.Access, 1)["role"], "who has no entry is what it was")
			})
		}
	}
}

func TestSubjectsKnowTheAdministrator(t *testing.T) {
	s := startServer(t, map[string]any{
		"auto_create_admin": true, "admin_password": "correct horse", "admin_email": "Root@Example.com",
		"subjects": []any{map[string]any{"sub": "root@example.COM", "name": "Root", "groups": "ops"}},
	})
	r := s.post("/login", map[string]any{"email": "root@example.com", "password": "correct horse"})
	claims := jwtPart(t, r.tokens(t).Access, 1)
	assert.Equal(t, []any{"admin", "Root", []any{"ops"}}, []any{claims["role"], claims["name"], claims["groups"]})
}

func TestABlockedSubjectIsRefused(t *testing.T) {
	w := newWallet(t, "Ed25519")
	asked := 0
	s := startServer(t, map[string]any{"subjects": []any{map[string]any{"sub": w.Address, "blocked": true}}},
		testutil.WithClaimsProvider(serverauth.ClaimsProviderFunc(func(context.Context, store.Subject) (serverauth.Claims, error) {
			asked++
			return serverauth.Claims{Role: "editor"}, nil
		})))
	body := s.signInBody(w)
	s.post("/sign-in", body).problem(t, 403, "subject refused")
	s.post("/sign-in", body).problem(t, 401, "invalid or expired challenge")
	assert.Zero(t, asked, "a later source cannot let in whom an earlier one blocks")
}

func TestLaterSourcesWinFieldByField(t *testing.T) {
	w := newWallet(t, "Ed25519")
	file := writeSubjects(t, filepath.Join(t.TempDir(), "subjects.yaml"), map[string]any{"sub": w.Address, "role": "reader", "name": "File", "claims": map[string]any{"a": 2, "b": 2}})
	s := startServer(t, map[string]any{
		"subjects_file": file,
		"subjects": []any{map[string]any{
			"sub": w.Address, "role": "guest", "email": "list@example.com", "groups": []any{"list"}, "claims": map[string]any{"a": 1, "c": 1},
		}},
	}, testutil.WithClaimsProvider(serverauth.ClaimsProviderFunc(func(context.Context, store.Subject) (serverauth.Claims, error) {
		return serverauth.Claims{Role: "editor", Extra: map[string]any{"b": 3}}, nil
	})))
	claims := jwtPart(t, s.signIn(w).Access, 1)
	for claim, want := range map[string]any{
		"role": "editor", "name": "File", "email": "list@example.com", "groups": []any{"list"}, "a": 2.0, "b": 3.0, "c": 1.0,
	} {
		assert.Equal(t, want, claims[claim], claim)
	}
}

// writeSubjects replaces the file as an operator should, in one step, and returns its path.
func writeSubjects(t *testing.T, path string, entries ...map[string]any) string {
	t.Helper()
	text, err := yaml.Marshal(map[string]any{"subjects": entries})
	require.NoError(t, err)
	return writeFile(t, path, string(text))
}

func writeFile(t *testing.T, path, text string) string {
	t.Helper()
	require.NoError(t, os.WriteFile(path+".new", []byte(text), 0o600))
	require.NoError(t, os.Rename(path+".new", path))
	return path
}

func TestSubjectsFileIsReadAgainWhenItChanges(t *testing.T) {
	w := newWallet(t, "Ed25519")
	path := filepath.Join(t.TempDir(), "subjects.yaml")
	writeSubjects(t, path, map[string]any{"sub": w.Address, "role": "reader"})
	s, log := watched(t, map[string]any{"subjects_file": path})
	in := s.signIn(w)
	assert.Equal(t, "reader", jwtPart(t, in.Access, 1)["role"])

	writeSubjects(t, path, map[string]any{"sub": w.Address, "role": "editor"}) // of the same size
	in = s.refresh(in.Refresh).tokens(t)
	assert.Equal(t, "editor", jwtPart(t, in.Access, 1)["role"])

	for _, faulty := range []string{
		"", "subjects: [", "users: []", "subjects: [{sub: " + w.Address + ", rolle: x}]", "subjects: {}",
		"subjects: [{sub: 0x12345678901234567890123456789012345678}]",
	} {
		writeFile(t, path, faulty)
		assert.Equal(t, "editor", jwtPart(t, s.signIn(w).Access, 1)["role"], faulty)
		assert.Equal(t, "editor", jwtPart(t, s.signIn(w).Access, 1)["role"], faulty)
	}
	require.NoError(t, os.Remove(path))
	assert.Equal(t, "editor", jwtPart(t, s.signIn(w).Access, 1)["role"], "a file that is gone")
	assert.Len(t, log.events(t, "subjects_file is not valid: the last valid list is still used"), 7, "each fault is said once")

	writeSubjects(t, path, map[string]any{"sub": w.Address, "blocked": true})
	s.refresh(in.Refresh).problem(t, 403, "subject refused")
	writeSubjects(t, path)
	s.refresh(in.Refresh).problem(t, 401, "refresh invalid: session has ended")
	assert.Equal(t, "wallet", jwtPart(t, s.signIn(w).Access, 1)["role"])
}

func TestSubjectsFileIsNotWrittenByEverybody(t *testing.T) {
	path := writeFile(t, filepath.Join(t.TempDir(), "subjects.yaml"), "subjects: []")
	require.NoError(t, os.Chmod(path, 0o666))
	settings := serverauth.DefaultServerAuthSettings()
	settings.SubjectsFile = path
	assert.ErrorContains(t, settings.Validate(), "every user can write to it")
}

func TestEveryFaultOfASubjectIsNamed(t *testing.T) {
	w := newWallet(t, "eip191")
	list := fmt.Sprintf(`
- {sub: %s, role: editor}
- {role: editor}
- {sub: "%s", role: " editor"}
- {sub: 0x1234567890123456789012345678901234567890, email: nobody, groups: [""], claims: {Role: x}}
- {sub: "bip122:000000000019d6689c085ae165831e93:128Lkh3S7CkDTBZ8W7BbpsN3YYizJMp8p6"}
- {sub: a@example.com, claims: {ratio: .inf}}
- {sub: b@example.com, role: "editor,admin", groups: ["'staff'"], scope: '"read"', name: '"Bob"'}
`, w.Address, strings.ToLower(w.Address))
	faults := []string{
		"[1].sub: must not be empty",
		"[2].sub: is already the subject of ", "[2].role: has control characters",
		"[3].email: is not an e-mail address", "[3].groups[0]: is empty", `[3].claims: serverauth: claim "Role"`,
		"[4].sub: invalid address: it has a namespace other than",
		"[5].claims: has a value that JSON cannot represent",
		`[6].role: "editor,admin" is a list; this key takes one value`, "[6].groups[0]: has quotes around it", "[6].scope: has quotes around it",
	}
	var entries []any
	require.NoError(t, yaml.Unmarshal([]byte(list), &entries))
	k := koanf.New(".")
	require.NoError(t, k.Set("server_auth.subjects", entries))
	path := writeFile(t, filepath.Join(t.TempDir(), "subjects.yaml"), "subjects:"+list)
	require.NoError(t, k.Set("server_auth.subjects_file", path))
	_, err := config.Section(k, "server_auth", serverauth.DefaultServerAuthSettings())
	for _, fault := range faults {
		assert.ErrorContains(t, err, "server_auth.subjects"+fault)
		assert.ErrorContains(t, err, "server_auth.subjects_file.subjects"+fault)
	}
}

func TestASubjectThatNobodyCanBeIsRefused(t *testing.T) {
	subjects := []any{map[string]any{"sub": "alice", "role": "admin"}}
	a := app.New(app.ConfigMap(map[string]any{"server_auth.subjects": subjects, "app.port": 0}), serverauth.Module)
	assert.ErrorContains(t, a.Err(), "server_auth.subjects[0].sub: is neither an e-mail address nor a wallet address of a supported algorithm")
}

func TestFreeClaimsMayNotLookLikeTheIssuersOwn(t *testing.T) {
	for _, name := range []string{
		"Role", "SUB", "ſid", "Scope", "\u017fcope", "tas\u212a_id", "ROLES", "Email", "NAME", "wallet_kind", "Session_ID", "auth_time", "CNF", "parent_chain", "",
	} {
		settings := serverauth.DefaultServerAuthSettings()
		settings.Subjects = []serverauth.SubjectEntry{{Sub: "a@example.com", Claims: map[string]any{name: "x"}}}
		assert.ErrorContains(t, settings.Validate(), "subjects[0].claims", "%q", name)
	}
	settings := serverauth.DefaultServerAuthSettings()
	settings.Subjects = []serverauth.SubjectEntry{{Sub: "a@example.com", Claims: map[string]any{"plan": "pro", "tenant": "x", "rôle": "y"}}}
	assert.NoError(t, settings.Validate())
}

// Ed25519 has two addresses, hex and base58: who is blocked under one does not come in under the other.
func TestAnEntryHoldsForTheOtherAddressOfItsKey(t *testing.T) {
	seed := [testutil.WalletSeedSize]byte{7}
	hex, err := testutil.WalletFromSeed("Ed25519", seed)
	require.NoError(t, err)
	solana, err := testutil.WalletFromSeed(testutil.SolanaWallet, seed)
	require.NoError(t, err)
	require.NotEqual(t, hex.Address, solana.Address)
	s := startServer(t, map[string]any{"require_message": false, "subjects": []any{map[string]any{"sub": solana.Address, "blocked": true}}})
	s.post("/sign-in", s.signInBody(hex)).problem(t, 403, "subject refused")
	s = startServer(t, map[string]any{"require_message": false, "subjects": []any{
		map[string]any{"sub": solana.Address, "role": "editor"}, map[string]any{"sub": hex.Address, "role": "reader"},
	}})
	assert.Equal(t, "reader", jwtPart(t, s.signIn(hex).Access, 1)["role"], "its own entry comes first")
}
