package services

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// nginxConfig is what nginx needs beside a server, to run without root and with its files in a folder.
const nginxConfig = `
daemon off;
master_process off;
pid {{dir}}/nginx.pid;
error_log stderr;
events {}
http {
    access_log off;
    client_body_temp_path {{dir}}/body;
    proxy_temp_path {{dir}}/proxy;
    fastcgi_temp_path {{dir}}/fastcgi;
    uwsgi_temp_path {{dir}}/uwsgi;
    scgi_temp_path {{dir}}/scgi;
    {{server}}
}
`

// StartNGINX runs nginx until the test ends and returns once it accepts connections at listen (host:port). server is a block
// "server { … }" that listens there. Its log is in the failure of a test that it does not start for.
func StartNGINX(tb testing.TB, listen, server string) {
	tb.Helper()
	program, err := exec.LookPath("nginx")
	if err != nil {
		if program, err = exec.LookPath("/usr/sbin/nginx"); err != nil {
			absent(tb, "nginx", "nginx-light")
		}
	}
	dir := tb.TempDir()
	config, log := filepath.Join(dir, "nginx.conf"), filepath.Join(dir, "nginx.log")
	text := strings.NewReplacer("{{dir}}", dir, "{{server}}", server).Replace(nginxConfig)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
	output, err := os.Create(log)
	if err != nil {
		tb.Fatal(err)
	}
	defer output.Close()
	command := exec.Command(program, "-e", "stderr", "-c", config)
	command.Stdout, command.Stderr = output, output
	running, err := launch(command)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := running.interrupt(startTimeout); err != nil {
			tb.Error(err)
		}
	})
	for deadline := time.Now().Add(startTimeout); ; time.Sleep(pollInterval) {
		if connection, err := net.Dial("tcp", listen); err == nil {
			_ = connection.Close()
			return
		}
		if running.ended() || time.Now().After(deadline) {
			text, _ := os.ReadFile(log)
			tb.Fatalf("services: nginx does not start: %s", text)
		}
	}
}
