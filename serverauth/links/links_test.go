package links_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth/links"
	"github.com/picoauth/picoauth/serverauth/revocation"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/testutil"
)

// tampered is a LinkStore in which a database writer has put other rows, or has removed some.
type tampered struct {
	store.LinkStore
	rows map[string]*store.Link // nil: it was removed
}

func (s *tampered) Find(ctx context.Context, wallet string) (store.Link, bool, bool, error) {
	if row, changed := s.rows[wallet]; changed && row != nil {
		return *row, true, false, nil
	} else if changed {
		others, err := s.List(ctx, wallet)
		return store.Link{}, false, len(others) > 0, err
	}
	return s.LinkStore.Find(ctx, wallet)
}

func (s *tampered) List(ctx context.Context, subject string) (rows []store.Link, err error) {
	kept, err := s.LinkStore.List(ctx, subject)
	for _, row := range kept {
		if _, changed := s.rows[row.Wallet.ID]; !changed {
			rows = append(rows, row)
		}
	}
	for _, row := range s.rows {
		if row != nil && row.Subject == subject {
			rows = append(rows, *row)
		}
	}
	return rows, err
}

// office is a book and its registrar, beside the sessions that they end.
type office struct {
	*testing.T
	links    *tampered
	book     *links.Book
	sessions store.SessionStore
	*links.Registrar
	ended []string
	clock *testutil.Clock
}

func (o *office) OwnSession(ctx context.Context, sid string, _ revocation.Cause) error {
	o.ended = append(o.ended, sid)
	_, _, err := o.sessions.End(ctx, sid)
	return err
}

func newOffice(t *testing.T) *office {
	t.Helper()
	o := &office{T: t, clock: testutil.NewClock(time.Now()), sessions: store.NewInMemorySessionStore()}
	o.links = &tampered{LinkStore: store.NewInMemoryLinkStore(), rows: make(map[string]*store.Link)}
	o.book, o.Registrar = o.process(o.clock.Now)
	return o
}

// process is a further process on the same stores.
func (o *office) process(clock app.Clock) (*links.Book, *links.Registrar) {
	secret := func() []byte { return []byte("32 bytes that nobody else knows!") }
	book := links.NewBook(o.links, secret, slog.New(slog.DiscardHandler))
	return book, links.NewRegistrar(links.RegistrarConfig{Book: book, Sessions: o.sessions, Revoker: o, Skew: time.Minute, Clock: clock})
}

func wallet(n int) store.Subject {
	return store.Subject{ID: fmt.Sprintf("wallet-%d", n), Kind: store.KindWallet, Algorithm: "own", WalletID: fmt.Sprintf("id-%d", n)}
}

func contract(chain int, address string) store.Subject {
	account := fmt.Sprintf("eip155:%d:%s", chain, address)
	return store.Subject{ID: account, Kind: store.KindWallet, Algorithm: "eip191", Account: account, Address: address, WalletKind: store.WalletContract}
}

// member is a wallet that has just signed in.
func (o *office) member(u store.Subject) links.Member {
	o.Helper()
	owner, err := o.book.Owner(o.Context(), u, true)
	require.NoError(o, err)
	return links.MemberOf(store.Session{Subject: owner.Subject, StartedAt: o.clock.Now().UnixMilli()})
}

func (o *office) join(by links.Member, u store.Subject) store.Link {
	o.Helper()
	o.clock.Advance(time.Millisecond)
	joined, err := o.Join(o.Context(), by, u, false)
	require.NoError(o, err)
	row, found, _, err := o.links.Find(o.Context(), joined.Link.Wallet.ID)
	require.True(o, found && err == nil)
	return row
}

// is fails unless a wallet signs in as a subject, or as nobody where that is empty.
func (o *office) is(u store.Subject, want string) {
	o.Helper()
	owner, err := o.book.Owner(o.Context(), u, false)
	if want == "" {
		assert.ErrorIs(o, err, links.ErrLeft)
		return
	}
	require.NoError(o, err)
	assert.Equal(o, want, owner.Subject.ID)
}

func TestADatabaseWriterJoinsNobody(t *testing.T) {
	mine, theirs, spare := wallet(1), wallet(2), wallet(3)
	for name, attack := range map[string]func(own, others store.Link) *store.Link{
		"their row in my place":        func(_, others store.Link) *store.Link { return &others },
		"their row with my wallet":     func(own, others store.Link) *store.Link { others.Wallet = own.Wallet; return &others },
		"their subject in my row":      func(own, others store.Link) *store.Link { own.Subject = others.Subject; return &own },
		"another version of my row":    func(own, _ store.Link) *store.Link { own.Version[0]++; return &own },
		"another time":                 func(own, _ store.Link) *store.Link { own.LinkedAt++; return &own },
		"another key beside my wallet": func(own, _ store.Link) *store.Link { own.Wallet.WalletID = theirs.WalletID; return &own },
		"no MAC":                       func(own, _ store.Link) *store.Link { own.MAC = [32]byte{}; return &own },
	} {
		o := newOffice(t)
		own := o.join(o.member(wallet(9)), mine)
		others := o.join(o.member(theirs), spare)
		o.links.rows[mine.ID] = attack(own, others)
		o.is(mine, "")
		o.is(spare, theirs.ID)
		rows, err := o.Wallets(t.Context(), o.member(theirs))
		require.NoError(t, err)
		assert.Len(t, rows, 2, "%s: what is not authentic is nobody's", name)
		if t.Failed() {
			t.Fatal(name)
		}
	}
}

func TestADatabaseWriterBringsNoWalletBack(t *testing.T) {
	named, spare := wallet(1), wallet(2)
	for name, attack := range map[string]func(o *office, row store.Link){
		"the row is gone": func(o *office, _ store.Link) { o.links.rows[named.ID] = nil },
		"it never left":   func(o *office, row store.Link) { row.LeftAt = 0; o.links.rows[named.ID] = &row },
		"it is damaged":   func(o *office, row store.Link) { row.MAC[0]++; o.links.rows[named.ID] = &row },
		"it is empty":     func(o *office, _ store.Link) { o.links.rows[named.ID] = &store.Link{} },
	} {
		o := newOffice(t)
		o.join(o.member(named), spare)
		_, err := o.Leave(t.Context(), o.member(spare), named.ID)
		require.NoError(t, err)
		row, _, _, err := o.links.Find(t.Context(), named.ID)
		require.NoError(t, err)
		attack(o, row)
		o.is(named, "")
		o.is(spare, named.ID)
		_, err = o.Join(t.Context(), links.MemberOf(store.Session{Subject: named}), wallet(3), true)
		require.ErrorIs(t, err, links.ErrLeft, name)
	}
}

// The other wallets of a subject go on where the row of the one that named it was taken away, and may join it again.
func TestASubjectWithoutTheRowOfItsName(t *testing.T) {
	o := newOffice(t)
	named, spare := wallet(1), wallet(2)
	o.join(o.member(named), spare)
	before := o.links.LinkStore
	o.links.LinkStore = without(t, before, named.ID)
	o.is(named, "")
	by := o.member(spare)
	assert.Equal(t, named.ID, by.Subject)
	o.join(by, wallet(3))
	o.is(wallet(3), named.ID)
	o.is(named, "")
	o.join(by, named)
	o.is(named, named.ID)
	rows, err := o.Wallets(t.Context(), by)
	require.NoError(t, err)
	assert.Len(t, rows, 3)
}

// without is a copy of the links of a subject, but for one.
func without(t *testing.T, from store.LinkStore, wallet string) store.LinkStore {
	t.Helper()
	to := store.NewInMemoryLinkStore()
	rows, err := from.List(t.Context(), wallet)
	require.NoError(t, err)
	for _, row := range rows {
		if row.Wallet.ID != wallet {
			_, err := to.Change(t.Context(), []store.LinkChange{{Row: row}})
			require.NoError(t, err)
		}
	}
	return to
}

// A process that has just read that there is no link, and whose clock is ahead, begins no session for a wallet that
// another process has joined meanwhile, and none for one that left.
func TestASignInThatDoesNotKnowYet(t *testing.T) {
	o := newOffice(t)
	ahead := func() time.Time { return o.clock.Now().Add(time.Minute) }
	named, joined := wallet(1), wallet(2)
	begin := func(owner links.Owner) (cutOff int64) {
		now := ahead().UnixMilli()
		cutOff, err := o.sessions.Create(t.Context(), store.Session{
			ID: fmt.Sprint(time.Now().UnixNano()), Subject: owner.Subject, Mark: owner.Mark, StartedAt: now, ExpiresAt: now + 1e6, EndsAt: now + 1e6,
		})
		require.NoError(t, err)
		return cutOff
	}
	other, _ := o.process(ahead)
	stale := map[string]links.Owner{}
	know := func(name string, u store.Subject) {
		owner, err := other.Owner(t.Context(), u, false)
		require.NoError(t, err)
		stale[name] = owner
	}
	know("the name", named)
	know("alone", joined)
	assert.Zero(t, begin(stale["alone"]))

	by := o.member(named)
	done, err := o.Join(t.Context(), by, joined, true)
	require.NoError(t, err)
	assert.Equal(t, 1, done.Sessions)
	assert.NotZero(t, begin(stale["alone"]))
	assert.Zero(t, begin(stale["the name"]))

	fresh, err := other.Owner(t.Context(), joined, true)
	require.NoError(t, err)
	assert.Equal(t, named.ID, fresh.Subject.ID)
	assert.Zero(t, begin(fresh))
	o.ended = nil
	left, err := o.Leave(t.Context(), by, joined.ID)
	require.NoError(t, err)
	assert.Equal(t, 1, left.Sessions)
	assert.Len(t, o.ended, 1)
	assert.NotZero(t, begin(fresh))

	o.join(by, joined)
	again, err := other.Owner(t.Context(), joined, true)
	require.NoError(t, err)
	assert.Zero(t, begin(again), "joined again, it signs in at once")
	assert.NotZero(t, begin(fresh))

	_, err = o.Leave(t.Context(), o.member(joined), named.ID)
	require.NoError(t, err)
	assert.NotZero(t, begin(stale["the name"]), "what began before anything was joined")
}

func TestContractsOfTwoChainsShareAnAddress(t *testing.T) {
	o := newOffice(t)
	const address = "0x88ca19624e3Dc8bC999a5b947488F0A2EA29a535"
	by := o.member(wallet(1))
	one, two := contract(1, address), contract(8453, address)
	o.join(by, one)
	o.join(by, two)
	o.is(one, wallet(1).ID)
	owner, err := o.book.Owner(t.Context(), two, false)
	require.NoError(t, err)
	assert.Equal(t, address, owner.Subject.WalletAddress())
	assert.Equal(t, two, links.Alone(owner.Subject))
	_, err = o.Leave(t.Context(), by, address)
	require.ErrorIs(t, err, links.ErrAmbiguous)
	_, err = o.Leave(t.Context(), by, two.Account)
	require.NoError(t, err)
	o.is(one, wallet(1).ID)
	o.is(two, "")
	_, err = o.Leave(t.Context(), by, address)
	require.NoError(t, err, "there is one left")
	o.is(one, "")
}

func TestASubjectHasSoManyWallets(t *testing.T) {
	o := newOffice(t)
	by := o.member(wallet(0))
	for n := 1; n < 100; n++ {
		o.join(by, wallet(n))
	}
	_, err := o.Join(t.Context(), by, wallet(100), false)
	require.ErrorIs(t, err, links.ErrTooMany)
	_, err = o.Leave(t.Context(), by, wallet(1).ID)
	require.NoError(t, err)
	_, err = o.Join(t.Context(), by, wallet(100), false)
	require.ErrorIs(t, err, links.ErrTooMany, "those that left count")
	ids, err := o.book.Related(t.Context(), wallet(99).ID)
	require.NoError(t, err)
	assert.Len(t, ids, 100, "the subject, and the keys of the 99 that belong to it")
}

// What a first try left undone, the next one does.
func TestAJoinThatWasCutShortIsDoneAgain(t *testing.T) {
	o := newOffice(t)
	by := o.member(wallet(1))
	o.join(by, wallet(2))
	now := o.clock.Now().UnixMilli()
	for sid, subject := range map[string]store.Subject{"alone": wallet(2), "joined": {ID: "wallet-1", Kind: store.KindWallet, Address: "wallet-2"}, "other": wallet(1)} {
		_, err := o.sessions.Create(t.Context(), store.Session{ID: sid, Subject: subject, StartedAt: now, ExpiresAt: now + 1e6, EndsAt: now + 1e6})
		require.NoError(t, err)
	}
	again, err := o.Join(t.Context(), by, wallet(2), false)
	require.NoError(t, err)
	assert.False(t, again.New)
	assert.Equal(t, []string{"alone"}, o.ended)

	_, err = o.Leave(t.Context(), by, "wallet-2")
	require.NoError(t, err)
	assert.Equal(t, []string{"alone", "joined"}, o.ended)
	_, err = o.sessions.Create(t.Context(), store.Session{
		ID: "late", Subject: store.Subject{ID: "wallet-1", Kind: store.KindWallet, Address: "wallet-2"}, StartedAt: now, ExpiresAt: now + 1e6, EndsAt: now + 1e6,
	})
	require.NoError(t, err)
	_, err = o.Leave(t.Context(), by, "wallet-2")
	require.ErrorIs(t, err, links.ErrNotFound)
	assert.Equal(t, []string{"alone", "joined", "late"}, o.ended)
}
