package services

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a running server with the processes that it made.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when the first process has ended
}

// launch starts a command. The thread that started it lives as long as it does, since the system can be asked to end
// a process with the thread that made it, and is.
func launch(cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, done: make(chan struct{})}
	endWithParent(cmd)
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(p.done)
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // how it ended is in its log
		}
	}()
	return p, <-started
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// interrupt asks the process to end and waits until it has.
func (p *process) interrupt(timeout time.Duration) error {
	if p.ended() {
		return nil
	}
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(timeout):
		return errors.New("it does not end")
	}
}

func (p *process) kill() {
	if p.ended() {
		return
	}
	_ = p.stop() // so that it makes no more children; it may have ended in this moment
	children := p.children()
	_ = p.cmd.Process.Kill()
	<-p.done
	for _, pid := range children {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	for _, pid := range children {
		for syscall.Kill(pid, 0) == nil && !zombie(pid) {
			time.Sleep(pollInterval)
		}
	}
}

func (p *process) pause() error {
	if err := p.stop(); err != nil {
		return err
	}
	return p.signalChildren(syscall.SIGSTOP)
}

// stop stops the first process and returns when it has stopped: it may be about to make another one.
func (p *process) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	for deadline := time.Now().Add(time.Second); time.Now().Before(deadline); time.Sleep(pollInterval / 5) {
		if state, _ := stat(p.cmd.Process.Pid); state != "R" && state != "S" && state != "D" {
			break
		}
	}
	return nil
}

func (p *process) resume() error {
	if err := p.signalChildren(syscall.SIGCONT); err != nil {
		return err
	}
	return p.cmd.Process.Signal(syscall.SIGCONT)
}

func (p *process) signalChildren(signal syscall.Signal) error {
	for _, pid := range p.children() {
		if err := syscall.Kill(pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
	}
	return nil
}

// children returns the processes that the process made, where /proc tells; elsewhere they end by themselves after it.
func (p *process) children() (pids []int) {
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range files {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if _, parent := stat(pid); err == nil && parent == p.cmd.Process.Pid {
			pids = append(pids, pid)
		}
	}
	return pids
}

func zombie(pid int) bool {
	state, _ := stat(pid)
	return state == "Z"
}

// stat returns the state of a process, a letter, and its parent. The second field of its file, in parentheses, may hold anything.
func stat(pid int) (state string, parent int) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return "", 0
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) < 2 {
		return "", 0
	}
	parent, _ = strconv.Atoi(fields[1])
	return fields[0], parent
}
