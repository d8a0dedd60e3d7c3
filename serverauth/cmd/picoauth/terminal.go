package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// maxLine is the largest secret in bytes that is read from standard input.
const maxLine = 4096

// terminalOf returns a stream of the program as a file. ok is true if it is a terminal.
func terminalOf(stream any) (file *os.File, ok bool) {
	file, isFile := stream.(*os.File)
	return file, isFile && term.IsTerminal(int(file.Fd()))
}

// readPassword asks for a password without showing it, or reads the first line of standard input. It asks twice for a new
// one.
func readPassword(c *cobra.Command, prompt string, isNew bool) (string, error) {
	file, person := terminalOf(c.InOrStdin())
	if !person {
		return readLine(c.InOrStdin())
	}
	first, err := ask(c.ErrOrStderr(), file, prompt)
	if err != nil || !isNew {
		return first, err
	}
	second, err := ask(c.ErrOrStderr(), file, "Repeat it")
	if err == nil && first != second {
		err = errors.New("the two passwords differ; nothing was changed, try again")
	}
	return first, err
}

func ask(w io.Writer, terminal *os.File, prompt string) (string, error) {
	fmt.Fprintf(w, "%s: ", prompt)
	text, err := term.ReadPassword(int(terminal.Fd()))
	fmt.Fprintln(w)
	return string(text), err
}

// readLine reads one line of at most maxLine bytes, without its line break.
func readLine(r io.Reader) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(r, maxLine+1)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	if len(line) > maxLine {
		return "", fmt.Errorf("the first line of standard input has more than %d bytes", maxLine)
	}
	return strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r"), nil
}
