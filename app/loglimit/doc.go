// Package loglimit limits log records to ten a second for each cause, and counts the others.
package loglimit
