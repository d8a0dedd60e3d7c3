package claims

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/picoauth/picoauth/app/config"
	"github.com/picoauth/picoauth/serverauth/internal/subject"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/serverauth/wallet"
)

// Entry is the entry of a subject in server_auth.subjects or subjects_file.
type Entry struct {
	// Sub is a wallet address in any form that a sign-in accepts, also as a CAIP-10 account or did:pkh, or the e-mail of the
	// administrator.
	Sub     string         `koanf:"sub"`
	Role    string         `koanf:"role"`
	Groups  []string       `koanf:"groups"`
	Scope   string         `koanf:"scope"` // separated by spaces
	Email   string         `koanf:"email"`
	Name    string         `koanf:"name"`
	Claims  map[string]any `koanf:"claims"` // free claims
	Blocked bool           `koanf:"blocked"`
}

// claims returns the claims of an entry.
func (e Entry) claims() (Claims, error) {
	if e.Blocked {
		return Claims{}, fmt.Errorf("blocked: %w", ErrSubjectRefused)
	}
	return Claims{Role: e.Role, Groups: e.Groups, Scope: e.Scope, Email: e.Email, Name: e.Name, Extra: e.Claims}, nil
}

// check returns every fault of an entry, each with its key; ofSub is that of its subject.
func (e Entry) check(key string, ofSub error) (faults []error) {
	fault := func(field, reason string) {
		faults = append(faults, &config.Error{Key: key + "." + field, Reason: reason})
	}
	if ofSub != nil {
		fault("sub", ofSub.Error())
	}
	for _, field := range []struct{ name, value string }{
		{"role", e.Role}, {"scope", e.Scope}, {"email", e.Email}, {"name", e.Name},
	} {
		if !isPlainText(field.value) {
			fault(field.name, "has control characters, or white space around it")
		} else if field.name != "name" && isQuoted(field.value) {
			fault(field.name, "has quotes around it")
		}
	}
	if strings.Contains(e.Role, ",") {
		fault("role", fmt.Sprintf("%q is a list; this key takes one value", e.Role))
	}
	for i, group := range e.Groups {
		if isQuoted(group) {
			fault(fmt.Sprintf("groups[%d]", i), "has quotes around it")
		}
		if group == "" || !isPlainText(group) {
			fault(fmt.Sprintf("groups[%d]", i), "is empty, or has control characters or white space around it")
		}
	}
	if e.Email != "" && !strings.Contains(e.Email, "@") {
		fault("email", "is not an e-mail address")
	}
	if err := CheckFree(e.Claims); err != nil {
		fault("claims", err.Error())
	} else if _, err := json.Marshal(e.Claims); err != nil {
		fault("claims", "has a value that JSON cannot represent")
	}
	return faults
}

func isQuoted(text string) bool {
	return len(text) > 1 && text[0] == text[len(text)-1] && (text[0] == '"' || text[0] == '\'')
}

func isPlainText(text string) bool {
	return text == strings.TrimSpace(text) && !strings.ContainsFunc(text, unicode.IsControl)
}

// subjectKeys returns the forms in which tokens name the subject of an entry: an e-mail in lower case, or first a canonical address
// and then its CAIP-10 account if the entry has one. walletID is that of an address that contains its public key.
func subjectKeys(sub string, known func(address string) bool) (keys []string, walletID string, err error) {
	if strings.Contains(sub, "@") {
		return []string{subject.NormalEmail(sub)}, "", nil
	}
	address, err := wallet.ParseAddress(subject.WithPrefix(sub), "")
	switch {
	case err != nil:
		return nil, "", err
	case address.String() == "":
		return nil, "", errors.New("must not be empty")
	case !known(address.String()):
		return nil, "", errors.New("is neither an e-mail address nor a wallet address of a supported algorithm")
	}
	keys = []string{address.Canonical()}
	if account := address.Account(); account != "" {
		keys = append(keys, account)
	}
	return keys, address.WalletID(), nil
}

// CheckEntries returns all faults of the setting subjects that can be found before the app's wallet schemes are known.
func CheckEntries(entries []Entry) error { return CheckEntriesOf(entries, anyAddress) }

// CheckEntriesOf also finds subjects that are no address of a wallet that may sign in; see Config.Known.
func CheckEntriesOf(entries []Entry, known func(address string) bool) error {
	_, err := newTable("subjects", entries, known)
	return err
}

// anyAddress accepts any address, as long as the app's wallet schemes are not known.
func anyAddress(string) bool { return true }

// table are the entries by subject and by wallet id: an entry also applies to another address of its key, unless that has an entry
// of its own.
type table map[string]Entry

// newTable returns a table. The error joins all faults of the list, each with the index of its entry and its key after prefix.
func newTable(prefix string, entries []Entry, known func(address string) bool) (table, error) {
	byID, first := make(table, len(entries)), make(firstEntries, len(entries))
	var faults []error
	for i, entry := range entries {
		key := fmt.Sprintf("%s[%d]", prefix, i)
		subs, walletID, err := subjectKeys(entry.Sub, known)
		faults = append(faults, entry.check(key, err)...)
		if err != nil {
			continue
		}
		if earlier, twice := first.add(subs, i); twice {
			faults = append(faults, &config.Error{Key: key + ".sub", Reason: fmt.Sprintf("is already the subject of %s[%d]", prefix, earlier)})
			continue
		}
		byID[subs[len(subs)-1]] = entry
		if _, named := byID[subs[0]]; !named || !isEthereumAccount(subs) {
			byID[subs[0]] = entry
		}
		if _, named := byID[walletID]; !named && walletID != "" {
			byID[walletID] = entry
		}
	}
	return byID, errors.Join(faults...)
}

// firstEntries are the indexes of the entries by their subjects.
type firstEntries map[string]int

// add returns the earlier entry of the same subject, if there is one. Accounts with one address on several Ethereum chains are
// different contract wallets.
func (f firstEntries) add(subs []string, i int) (earlier int, twice bool) {
	bare, accounts := subs[0], "accounts of "+subs[0]
	names, clashes := []string{bare}, []string{bare, accounts}
	if isEthereumAccount(subs) {
		names, clashes = []string{subs[1], accounts}, []string{subs[1], bare}
	}
	for _, name := range clashes {
		if earlier, twice = f[name]; twice {
			return earlier, true
		}
	}
	for _, name := range names {
		f[name] = i
	}
	return 0, false
}

func isEthereumAccount(subs []string) bool {
	return len(subs) == 2 && strings.HasPrefix(subs[1], wallet.NamespaceEthereum+":")
}

// Claims implements Provider. It returns no claims for a subject without an entry.
func (t table) Claims(_ context.Context, who store.Subject) (Claims, error) {
	id := who.ID
	if who.Kind != store.KindWallet {
		id = subject.NormalEmail(id)
	}
	entry, found := t[id]
	if !found && who.WalletID != "" {
		entry, found = t[who.WalletID]
	}
	if !found {
		return Claims{}, nil
	}
	return entry.claims()
}
