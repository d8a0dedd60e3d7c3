package postgres

import (
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// Dialing returns a backend whose connections are opened by dial, and whose calls wait for as long as a busy machine needs.
func Dialing(dial pgconn.DialFunc) *Backend { return &Backend{dial: dial, patience: time.Minute} }
