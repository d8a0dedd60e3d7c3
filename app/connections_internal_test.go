package app

import "testing"

func TestConnectionLimit(t *testing.T) {
	for _, test := range []struct {
		wanted, descriptors, limit int
		warning                    string
	}{
		{0, 0, 16384, ""},
		{0, 1 << 20, 16384, ""},
		{0, 1120, 1024, ""},
		{0, 1024, 928, "1024 connections need 1120 file descriptors"},
		{0, 256, 160, "1024 connections need 1120 file descriptors"},
		{0, 64, 32, "1024 connections need 1120 file descriptors"},
		{50000, 1 << 20, 50000, ""},
		{50000, 0, 50000, ""},
		{100, 256, 100, ""},
		{200, 256, 160, "app.max_connections needs 296 file descriptors"},
	} {
		if limit, warning := connectionLimit(test.wanted, test.descriptors); limit != test.limit || warning != test.warning {
			t.Errorf("%d of %d: got %d, %q", test.wanted, test.descriptors, limit, warning)
		}
	}
}
