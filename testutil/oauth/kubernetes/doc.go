// Package main is the program kubernetes: it reads an ID token from its input as an API server of Kubernetes does, by the API
// server's own authenticator, and writes who the token's bearer is: {"Name": …, "UID": …, "Groups": […], "Extra": {…}}. The flags
// are those of kube-apiserver.
package main
