package sqlite_test

import (
	"testing"

	"github.com/picoauth/picoauth/testutil/storetest"
)

func BenchmarkStores(b *testing.B) { storetest.Benchmark(b, fresh) }

func BenchmarkGrowth(b *testing.B) { storetest.BenchmarkGrowth(b, fresh) }
