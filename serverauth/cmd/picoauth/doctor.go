package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/picoauth/picoauth/app/config"
)

// doctorPatience is the time limit of a network request, and of the checks of a storage.
const doctorPatience = 10 * time.Second

// finding is a problem and how to solve it.
type finding struct {
	Check   string `json:"check"`
	Problem string `json:"problem"`
	Cure    string `json:"cure"`
	// Matters is false for advice.
	Matters bool `json:"matters"`
}

// examination is the result of doctor.
type examination struct {
	Findings []finding `json:"findings"`
	// Checked are the checks that found nothing. Skipped are the reasons why others were not made.
	Checked []string `json:"checked"`
	Skipped []string `json:"skipped"`
}

func (e *examination) wrong(check, cure, problem string, values ...any) {
	e.Findings = append(e.Findings, finding{check, fmt.Sprintf(problem, values...), cure, true})
}

func (e *examination) advise(check, cure, problem string, values ...any) {
	e.Findings = append(e.Findings, finding{check, fmt.Sprintf(problem, values...), cure, false})
}

func (e *examination) skip(format string, values ...any) {
	e.Skipped = append(e.Skipped, fmt.Sprintf(format, values...))
}

// check runs one check, and adds it to Checked if it found nothing.
func (e *examination) check(name string, run func()) {
	before := len(e.Findings)
	run()
	if len(e.Findings) == before {
		e.Checked = append(e.Checked, name)
	}
}

func newDoctor() *cobra.Command {
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Find problems of a server, its storage and its clients; exit 1 if there is a serious one",
		Long: "Checks a server's configuration and storage (--config, or application.yaml if it is there), a running server (--issuer, or the\n" +
			"issuer of a configuration), and a client's settings against it (--client-config, a file with the section auth_client). Each finding\n" +
			"comes with its cure. An empty storage is prepared, as the first start does.",
		Example: "  picoauth doctor\n  picoauth doctor --issuer https://auth.example.com\n" +
			"  picoauth doctor --config /etc/picoauth/application.yaml --client-config /etc/shop/application.yaml",
	}
	config := configFlag(c)
	issuer := c.Flags().String("issuer", "", "`URL` of a running server")
	client := c.Flags().String("client-config", "", "`file` of a client's configuration")
	c.RunE = func(c *cobra.Command, _ []string) error {
		e := &examination{Findings: []finding{}, Checked: []string{}, Skipped: []string{}}
		if err := e.examine(c.Context(), *config, *issuer, *client); err != nil {
			return err
		}
		if err := show(c, e, e.print); err != nil {
			return err
		}
		for _, f := range e.Findings {
			if f.Matters {
				return errReported
			}
		}
		return nil
	}
	return c
}

// examine makes every check that is possible with the given names.
func (e *examination) examine(ctx context.Context, file, issuer, clientConfig string) error {
	var server *serverSettings
	if _, err := os.Stat(config.ConventionalFile); file != "" || !errors.Is(err, fs.ErrNotExist) {
		if server = e.examineServer(ctx, file); server != nil && issuer == "" {
			issuer = server.auth.Issuer
		}
	}
	client, ok := e.readClient(clientConfig)
	if issuer == "" && ok {
		issuer = client.Issuer
	}
	if issuer == "" {
		if len(e.Findings) > 0 {
			return nil
		}
		return usageError{errors.New("there is nothing to check: name a server with --issuer URL, or a configuration with --config FILE")}
	}
	live := e.examineIssuer(ctx, strings.TrimSuffix(issuer, "/"), server)
	if ok && live != nil {
		e.examineClient(ctx, client, live, server)
	}
	return nil
}

func (e *examination) print(w io.Writer) {
	for _, name := range e.Checked {
		fmt.Fprintln(w, "ok      ", printable(name))
	}
	for _, reason := range e.Skipped {
		fmt.Fprintln(w, "skipped ", printable(reason))
	}
	for _, f := range e.Findings {
		kind := "advice  "
		if f.Matters {
			kind = "WRONG   "
		}
		fmt.Fprintf(w, "%s %s: %s\n          cure: %s\n", kind, printable(f.Check), printable(f.Problem), printable(f.Cure))
	}
	if len(e.Findings) == 0 {
		fmt.Fprintln(w, "Nothing is wrong.")
	}
}
