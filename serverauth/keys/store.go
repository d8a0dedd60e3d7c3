package keys

import "context"

// Store keeps the records of a ring, for one process or for many. It promises:
//
//   - Load returns every record, each whole as one write left it, and none for an empty store, which is no error. It may
//     run while another process updates, and then may see a part of that update's records. It is called
//     every second, so it must be cheap when nothing has changed. A record that cannot be read because it
//     was damaged is set aside, reported to the operator, and left out; a record that could be read with the right
//     configuration is an error.
//   - Update calls change with every record and keeps what it returns: a record that is new or differs is written, one
//     that is missing is deleted. No other Update on the same storage runs between the reading and the writing,
//     in this process or any other. Each record is written or deleted whole; of several, a crash or an error in between may
//     leave any part done. When change returns an error nothing is written and Update returns that error. change may be
//     called again when the store has to start over; it never calls the store.
//   - What an Update that returned nil wrote survives a crash of the process and of the machine, except in a store that
//     is documented to live in memory.
//   - Both return the context's error when it ends while they wait.
//
// The records of both directions are the receiver's own: neither side sees a later change to them. A Store is safe for
// concurrent use.
type Store interface {
	Load(ctx context.Context) ([]Record, error)
	Update(ctx context.Context, change func([]Record) ([]Record, error)) error
}
