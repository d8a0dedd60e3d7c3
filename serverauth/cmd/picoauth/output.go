package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/spf13/cobra"
)

// Values of --output.
const (
	outputText = "text"
	outputJSON = "json"
)

func checkOutput(c *cobra.Command) error {
	if output, err := c.Flags().GetString("output"); err == nil && output != outputText && output != outputJSON {
		return usageError{fmt.Errorf("--output %q is not text or json", output)}
	}
	return nil
}

// show prints data as JSON with --output json, or calls text.
func show(c *cobra.Command, data any, text func(w io.Writer)) error {
	if output, _ := c.Flags().GetString("output"); output == outputJSON {
		encoder := json.NewEncoder(c.OutOrStdout())
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		return encoder.Encode(data)
	}
	text(c.OutOrStdout())
	return nil
}

// say prints data as JSON with --output json, or as formatted text.
func say(c *cobra.Command, data any, format string, values ...any) error {
	return show(c, data, func(w io.Writer) { fmt.Fprintf(w, format, values...) })
}

// showTable prints items as JSON, or as rows under their titles. It replaces control characters in the cells.
func showTable[T any](c *cobra.Command, items []T, titles []string, row func(T) []string) error {
	return show(c, items, func(w io.Writer) {
		if len(items) == 0 {
			return
		}
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, strings.Join(titles, "\t"))
		for _, item := range items {
			cells := row(item)
			for i, cell := range cells {
				cells[i] = printable(cell)
			}
			fmt.Fprintln(t, strings.Join(cells, "\t"))
		}
		_ = t.Flush()
	})
}

// printable replaces control characters, which could move the cursor or hide text.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, text)
}

// shortened returns the beginning of a text of more than 48 bytes, such as a public key of ML-DSA.
func shortened(text string) string {
	const longest = 48
	if len(text) <= longest {
		return text
	}
	return text[:longest-1] + "…"
}
