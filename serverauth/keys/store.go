package keys

import "context"

// Store stores the records of a ring, for one process or for several. Its contract:
//
//   - Load returns all records, each as one complete write left it. An empty store is no error. Load may run during the Update of
//     another process, and may then see a part of its changes. It is called every second, so it must be cheap if nothing has
//     changed. A damaged record is set aside, reported to the operator, and left out. A record that could be read with another
//     configuration is an error.
//   - Update calls change with all records and stores the result: it writes new and changed records, and deletes missing ones. No
//     other Update on the same storage, in any process, may run between reading and writing. Each record is written or deleted
//     atomically; after a crash or an error any part of the changes may be done. If change returns an error, nothing is written,
//     and Update returns that error. change may be called again if the store has to start over. It never calls the store.
//   - If Update returns nil, its changes survive a crash of the process and of the machine, except in a store that is documented as
//     being in memory.
//   - Both return the context's error if it ends while they wait.
//
// Parameters and results are not shared: neither side sees later changes to the records. A Store must be safe for concurrent use.
type Store interface {
	Load(ctx context.Context) ([]Record, error)
	Update(ctx context.Context, change func([]Record) ([]Record, error)) error
}
