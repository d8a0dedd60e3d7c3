package redisclient_test

import (
	"fmt"

	"github.com/picoauth/picoauth/app/redisclient"
)

func ExampleOptions() {
	options, err := redisclient.Options("redis+sentinel://app:p%40ss@10.0.0.1,10.0.0.2/main?db=1")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(options.MasterName, options.Addrs, options.DB)
	// Output: main [10.0.0.1:26379 10.0.0.2:26379] 1
}
