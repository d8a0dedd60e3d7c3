package sqlite

import (
	"database/sql/driver"
	"net/url"
	"slices"
	"time"
)

// Wrapped returns a backend whose connections are made through wrap, and whose calls wait for as long as a busy machine needs.
func Wrapped(wrap func(driver.Connector) driver.Connector) *Backend {
	return &Backend{wrap: wrap, patience: time.Minute}
}

// WriterDataSource is the driver's name for a file that is written to, in clear.
func WriterDataSource(path string) string {
	text, err := url.QueryUnescape(dataSource(path, slices.Concat(settings, writerSettings)...))
	if err != nil {
		return err.Error()
	}
	return text
}
