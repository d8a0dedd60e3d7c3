package postgres

import "github.com/jackc/pgx/v5/pgconn"

// Dialing returns a backend whose connections are opened by dial.
func Dialing(dial pgconn.DialFunc) *Backend { return &Backend{dial: dial} }
