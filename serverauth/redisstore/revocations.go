package redisstore

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

	"github.com/picoauth/picoauth/app/redisclient"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/redis/go-redis/v9"
)

// revocationBatch is the number of items that are pruned in one step, small enough that others do not wait for it.
const revocationBatch = 1000

// revocations is a store.RevocationStore. It publishes each commit on the channel.
type revocations struct {
	db      database
	channel string
}

// Add implements store.RevocationStore.
func (s *revocations) Add(ctx context.Context, items []store.Revocation) ([]store.Revocation, error) {
	if len(items) == 0 {
		return nil, nil
	}
	arguments := make([]any, 0, 2+3*len(items))
	arguments = append(arguments, s.channel, store.RevocationStep())
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
	stored := make([]store.Revocation, len(items))
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

// Since implements store.RevocationStore: one round trip, and a second one if the whole list is needed.
func (s *revocations) Since(ctx context.Context, seq, after int64, limit int) (store.RevocationPage, error) {
	asked := cmp.Or(after, seq)
	head, rows, err := s.read(ctx, asked, limit)
	if err != nil {
		return store.RevocationPage{}, err
	}
	from, full := head.Begin(asked, after == 0)
	if from != asked {
		if head, rows, err = s.read(ctx, from, limit); err != nil {
			return store.RevocationPage{}, err
		}
	}
	page := store.RevocationPage{Items: make([]store.Revocation, 0, min(len(rows), limit)), Seq: head.Seq, Full: full}
	for i, row := range rows {
		if i == limit {
			page.Next = from
			break
		}
		number, item, err := readRevocation(row)
		if err != nil {
			return store.RevocationPage{}, err
		}
		page.Items, from = append(page.Items, item), number
	}
	return page, nil
}

// read reads the state and the rows whose number is above after, atomically. It returns one row more than limit, if there is one.
func (s *revocations) read(ctx context.Context, after int64, limit int) (head store.RevocationHead, rows []string, err error) {
	number := strconv.FormatInt(after, 10)
	state := redis.NewCmd(ctx, "HMGET", revocationState, "seq", "pruned")
	exists := redis.NewIntCmd(ctx, "ZCOUNT", revocationLog, number, number)
	log := redis.NewCmd(ctx, "ZRANGEBYSCORE", revocationLog, "("+number, "+inf", "LIMIT", 0, limit+1)
	_, err = s.db.client.TxPipelined(ctx, func(p redis.Pipeliner) error {
		return errors.Join(p.Process(ctx, state), p.Process(ctx, exists), p.Process(ctx, log))
	})
	if err != nil {
		return head, nil, redisclient.Failed(ctx, err)
	}
	numbers := texts(state.Val())
	if len(numbers) == 0 {
		if _, err := s.db.run(ctx, beginRevocations, revocationKeys); err != nil {
			return head, nil, err
		}
		return s.read(ctx, after, limit)
	}
	if len(numbers) == 2 {
		head.Seq, err = strconv.ParseInt(numbers[0], 10, 64)
		if err == nil {
			head.Pruned, err = strconv.ParseInt(numbers[1], 10, 64)
		}
	}
	if len(numbers) != 2 || err != nil {
		return head, nil, fmt.Errorf("%w: %s", errDamaged, revocationState)
	}
	head.Exists = exists.Val() > 0
	return head, texts(log.Val()), nil
}

// Prune implements store.RevocationStore.
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

// revocationName identifies an item that is added only once; it is empty for other items.
func revocationName(item store.Revocation) string {
	if kind, id := store.AddedOnce(item); kind != "" {
		return kind + ":" + id
	}
	return ""
}

// appendRevocation appends what readRevocation reads after the sequence number.
func appendRevocation(b []byte, item store.Revocation) []byte {
	b = appendTexts(b, revocationTexts(&item))
	b = binary.AppendVarint(b, item.RevokedAt)
	return binary.AppendVarint(b, item.Exp)
}

func readRevocation(row string) (number int64, item store.Revocation, err error) {
	r := rowReader{rest: row}
	number = r.decimal()
	r.texts(revocationTexts(&item))
	item.RevokedAt, item.Exp = r.number(), r.number()
	return number, item, r.end()
}

func revocationTexts(item *store.Revocation) []*string {
	return []*string{&item.JTI, &item.SID, &item.Sub, &item.KID, &item.Reason, &item.RevokedBy}
}
