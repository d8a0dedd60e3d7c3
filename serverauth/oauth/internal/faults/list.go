// Package faults collects what is wrong in the configuration of clients, workloads and resources.
package faults

import (
	"errors"
	"fmt"

	"github.com/picoauth/picoauth/app/config"
)

// List collects faults.
type List struct {
	// Prefix is what the key of each fault begins with.
	Prefix string
	all    *[]error
}

// New returns an empty list.
func New(prefix string) List { return List{prefix, new([]error)} }

// In returns the same list with a longer prefix, such as "clients[2].".
func (l List) In(format string, args ...any) List {
	return List{l.Prefix + fmt.Sprintf(format, args...), l.all}
}

// Add adds a *config.Error. Its reason completes the sentence that the key begins, and contains no secret.
func (l List) Add(key, reason string, args ...any) {
	l.Join(&config.Error{Key: l.Prefix + key, Reason: fmt.Sprintf(reason, args...)})
}

// Join adds errors that have their whole key. It ignores nil.
func (l List) Join(errs ...error) { *l.all = append(*l.all, errs...) }

// Err returns the faults in the order in which they were added, or nil.
func (l List) Err() error { return errors.Join(*l.all...) }
