package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/spf13/cobra"

	"github.com/picoauth/picoauth/serverauth/audit"
)

func newAudit() *cobra.Command {
	group := &cobra.Command{
		Use: "audit", Short: "Prove that nobody has changed the record of access tokens",
		Example: "  picoauth audit head > head.json\n  picoauth audit verify --head 4711:9f2c…",
	}
	group.AddCommand(newAuditVerify(), newAuditHead())
	return group
}

func newAuditHead() *cobra.Command {
	c := &cobra.Command{
		Use:   "head",
		Short: "Print the last entry of the audit, to verify later that nothing up to it was removed",
		Long: "Prints the number and the MAC of the last entry. Keep them where nobody who can write to the storage can change them; the server's log\n" +
			"has them too, once a minute (audit_head).",
		Example: "  picoauth audit head --output json >> /mnt/elsewhere/heads",
	}
	config := configFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		return withStorage(c.Context(), *config, func(ctx context.Context, o offline) error {
			head, err := o.mints.Head(ctx)
			if err != nil {
				return err
			}
			return say(c, head, "%d:%s\n", head.Seq, head.MAC)
		})
	}
	return c
}

// verified is what audit verify prints.
type verified struct {
	Head   audit.Head `json:"head"`
	Mints  int64      `json:"mints"`
	Lost   int64      `json:"lost"`
	Pruned int64      `json:"pruned"`
	Faults []string   `json:"faults"`
}

func newAuditVerify() *cobra.Command {
	c := &cobra.Command{
		Use:   "verify",
		Short: "Read the whole audit and check that nothing was removed, changed, moved or cut off; exit 1 if something was",
		Long: "Works on the storage, with its MAC key, whether or not a server runs. Entries that were cut off at the end are found with heads that\n" +
			"you have kept: --head, as picoauth audit head prints it, or seq and mac of the log.",
		Example: "  picoauth audit verify\n  picoauth audit verify --head \"$(cat head)\" --config /etc/picoauth/application.yaml",
	}
	config := configFlag(c)
	kept := c.Flags().StringArray("head", nil, "`SEQ:MAC` that was kept; may be repeated")
	c.RunE = func(c *cobra.Command, _ []string) error {
		heads := make([]audit.Head, len(*kept))
		for i, text := range *kept {
			var err error
			if heads[i], err = parseHead(text); err != nil {
				return usageError{err}
			}
		}
		return withStorage(c.Context(), *config, func(ctx context.Context, o offline) error {
			return verifyAudit(ctx, c, o, heads)
		})
	}
	return c
}

func parseHead(text string) (head audit.Head, err error) {
	seq, mac, _ := strings.Cut(strings.TrimSpace(text), ":")
	if head.Seq, err = strconv.ParseInt(seq, 10, 64); err != nil || head.Seq < 0 || head.MAC.UnmarshalText([]byte(mac)) != nil {
		return head, fmt.Errorf("--head %q is not a number, a colon and 64 hex characters", shortened(printable(text)))
	}
	return head, nil
}

func verifyAudit(ctx context.Context, c *cobra.Command, o offline, heads []audit.Head) error {
	report, err := auditOf(ctx, c, o.mints, func() ([]byte, error) { return o.ring.Secret(ctx, auditSecret) }, heads)
	broken := (*audit.Error)(nil)
	if err != nil && !errors.As(err, &broken) {
		return err
	}
	result := verified{report.Head, report.Mints, report.Lost, report.Pruned, []string{}}
	if broken != nil {
		for _, fault := range broken.Faults {
			result.Faults = append(result.Faults, fault.String())
		}
	}
	if err := show(c, result, func(w io.Writer) {
		for _, fault := range result.Faults {
			fmt.Fprintln(w, "BROKEN ", fault)
		}
		fmt.Fprintf(w, "%s, %d not recorded, %d pruned; head %d:%s\n", count(int(report.Mints), "token"), report.Lost, report.Pruned, report.Head.Seq, report.Head.MAC)
	}); err != nil {
		return err
	}
	if broken != nil {
		return errReported
	}
	return nil
}

// auditSecret is the name of the secret that is the MAC key of the audit.
const auditSecret = "mint-audit"

// auditOf verifies the audit in a store, with a progress bar.
func auditOf(ctx context.Context, c *cobra.Command, mints audit.Store, secret func() ([]byte, error), heads []audit.Head) (audit.Report, error) {
	key, err := secret()
	if err != nil {
		return audit.Report{}, err
	}
	head, err := mints.Head(ctx)
	if err != nil {
		return audit.Report{}, err
	}
	walked := &walkedStore{Store: mints}
	recorder, err := audit.NewRecorder(audit.Config{Store: walked, Key: func() []byte { return key }})
	if err != nil {
		return audit.Report{}, err
	}
	defer progress(c, "verifying the audit", func() float64 { return float64(walked.at.Load()) / float64(max(head.Seq, 1)) })()
	return recorder.Verify(ctx, heads...)
}

// walkedStore records how far the audit was read.
type walkedStore struct {
	audit.Store
	at atomic.Int64
}

// Walk implements audit.Store.
func (s *walkedStore) Walk(ctx context.Context, after int64, limit int) ([]audit.Entry, error) {
	s.at.Store(after)
	return s.Store.Walk(ctx, after, limit)
}
