// Package loglimit bounds the records of one cause in the log: ten a second, with the number of those that were left out.
package loglimit
