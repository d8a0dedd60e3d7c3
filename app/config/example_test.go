package config_test

import (
	"fmt"

	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/v2"

	"github.com/picoauth/picoauth/app/config"
)

type mailSettings struct {
	Sender       string   `koanf:"sender"`
	RetrySeconds int      `koanf:"retry_seconds"`
	Recipients   []string `koanf:"recipients"`
}

func (s mailSettings) Validate() error {
	return config.CheckRange("retry_seconds", s.RetrySeconds, 1, 60)
}

func ExampleSection() {
	k := koanf.New(".")
	values := map[string]any{"mail.recipients": "ops@example.org, dev@example.org"}
	if err := k.Load(confmap.Provider(values, "."), nil); err != nil {
		fmt.Println(err)
		return
	}
	defaults := mailSettings{Sender: "noreply@example.org", RetrySeconds: 5}

	settings, err := config.Section(k, "mail", defaults)
	fmt.Println(settings.Sender, len(settings.Recipients), err)

	_ = k.Set("mail.retry_seconds", 600)
	_, err = config.Section(k, "mail", defaults)
	fmt.Println(err)
	// Output:
	// noreply@example.org 2 <nil>
	// mail.retry_seconds: 600 is not within 1 to 60 seconds
}
