package sqlite

import (
	"database/sql/driver"
	"net/url"
	"slices"
)

// Wrapped returns a backend whose connections are made through wrap.
func Wrapped(wrap func(driver.Connector) driver.Connector) *Backend { return &Backend{wrap: wrap} }

// WriterDataSource is the driver's name for a file that is written to, in clear.
func WriterDataSource(path string) string {
	text, err := url.QueryUnescape(dataSource(path, slices.Concat(settings, writerSettings)...))
	if err != nil {
		return err.Error()
	}
	return text
}
