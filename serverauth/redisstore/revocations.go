package redisstore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

	"github.com/redis/go-redis/v9"

	"github.com/picoauth/picoauth/serverauth"
)

// How many items are read and pruned in one step: few enough that others need not wait for it.
const (
	revocationPage  = 5000
	revocationBatch = 1000
)

// revocations is a serverauth.RevocationStore. Each commit is told on the channel.
type revocations struct {
	db      database
	channel string
}

// Add implements serverauth.RevocationStore.
func (s *revocations) Add(ctx context.Context, items []serverauth.Revocation) ([]serverauth.Revocation, error) {
	if len(items) == 0 {
		return nil, nil
	}
	arguments := make([]any, 0, 1+3*len(items))
	arguments = append(arguments, s.channel)
	for _, item := range items {
		arguments = append(arguments, revocationName(item), item.Exp, appendRevocation(nil, item))
	}
	value, err := s.db.run(ctx, addRevocations, revocationKeys, arguments...)
	if err != nil {
		return nil, err
	}
	known := texts(value)
	if len(known) != len(items) {
		return nil, fmt.Errorf("%w: %s", errDamaged, revocationTag)
	}
	stored := make([]serverauth.Revocation, len(items))
	for i, row := range known {
		if stored[i] = items[i]; row == "" {
			continue
		}
		if _, stored[i], err = readRevocation(row); err != nil {
			return nil, err
		}
	}
	return stored, nil
}

// Since implements serverauth.RevocationStore: one round trip for every 5000 items, and at least one.
func (s *revocations) Since(ctx context.Context, seq int64) (serverauth.RevocationPage, error) {
	known, rows, err := s.read(ctx, seq)
	page := serverauth.RevocationPage{Items: []serverauth.Revocation{}, Full: seq < known.pruned || seq > known.seq}
	if err == nil && page.Full && seq != 0 {
		known, rows, err = s.read(ctx, 0)
	}
	for {
		if err != nil {
			return serverauth.RevocationPage{}, err
		}
		for _, row := range rows {
			number, item, err := readRevocation(row)
			if err != nil {
				return serverauth.RevocationPage{}, err
			}
			page.Items = append(page.Items, item)
			seq = number
		}
		if len(rows) < revocationPage {
			page.Seq = known.seq
			return page, nil
		}
		known, rows, err = s.read(ctx, seq)
	}
}

// revocationNumbers is the state.
type revocationNumbers struct{ seq, pruned int64 }

// read reads, at one moment, the state and rows whose number is above after.
func (s *revocations) read(ctx context.Context, after int64) (known revocationNumbers, rows []string, err error) {
	state := redis.NewCmd(ctx, "HMGET", revocationState, "seq", "pruned")
	log := redis.NewCmd(ctx, "ZRANGEBYSCORE", revocationLog, "("+strconv.FormatInt(after, 10), "+inf", "LIMIT", 0, revocationPage)
	_, err = s.db.client.TxPipelined(ctx, func(p redis.Pipeliner) error {
		return errors.Join(p.Process(ctx, state), p.Process(ctx, log))
	})
	if err != nil {
		return known, nil, failed(ctx, err)
	}
	numbers := texts(state.Val())
	if len(numbers) == 0 {
		if _, err := s.db.run(ctx, beginRevocations, revocationKeys); err != nil {
			return known, nil, err
		}
		return s.read(ctx, after)
	}
	if len(numbers) == 2 {
		known.seq, err = strconv.ParseInt(numbers[0], 10, 64)
		if err == nil {
			known.pruned, err = strconv.ParseInt(numbers[1], 10, 64)
		}
	}
	if len(numbers) != 2 || err != nil {
		return known, nil, fmt.Errorf("%w: %s", errDamaged, revocationState)
	}
	return known, texts(log.Val()), nil
}

// Prune implements serverauth.RevocationStore.
func (s *revocations) Prune(ctx context.Context, before int64, limit int) (removed int, err error) {
	for removed < limit {
		batch := min(limit-removed, revocationBatch)
		value, err := s.db.run(ctx, pruneRevocations, revocationKeys, before, batch)
		if err != nil {
			return removed, err
		}
		n, _ := value.(int64)
		if removed += int(n); int(n) < batch {
			break
		}
	}
	return removed, nil
}

// revocationName is what an item that is added once is known by, and empty for any other.
func revocationName(item serverauth.Revocation) string {
	switch {
	case item.JTI != "":
		return "jti:" + item.JTI
	case item.SID != "":
		return "sid:" + item.SID
	case item.KID != "":
		return "kid:" + item.KID
	default:
		return ""
	}
}

// appendRevocation appends what readRevocation reads after the number.
func appendRevocation(b []byte, item serverauth.Revocation) []byte {
	for _, text := range [...]string{item.JTI, item.SID, item.Sub, item.KID, item.Reason, item.RevokedBy} {
		b = appendText(b, text)
	}
	b = binary.AppendVarint(b, item.RevokedAt)
	return binary.AppendVarint(b, item.Exp)
}

func readRevocation(row string) (number int64, item serverauth.Revocation, err error) {
	r := rowReader{rest: row}
	number = r.decimal()
	for _, field := range [...]*string{&item.JTI, &item.SID, &item.Sub, &item.KID, &item.Reason, &item.RevokedBy} {
		*field = r.text()
	}
	item.RevokedAt, item.Exp = r.number(), r.number()
	return number, item, r.end()
}
