package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"goflink/appmaster/spec"
	"goflink/client/clientlog"
	"goflink/client/yarn"
	"goflink/conf"
	"goflink/yarnrpc"
)

// sessionPoll is how often an attached session looks whether its application
// still runs; Flink's.
const sessionPoll = 3 * time.Second

// sessionHelp is what the attached session answers to help.
const sessionHelp = "Available commands:\nhelp - show these commands\nstop - stop the YARN session"

// sessionAction is yarn-session.sh: start a session, or attach to one.
func sessionAction(c *command) error {
	if m := c.opts.String("jobmanager"); m != "" && m != yarnCluster {
		return argErrorf("yarn-session starts its own JobManager: -m takes yarn-cluster only.")
	}
	return c.onYarn(c.session)
}

func (c *command) session(d *yarn.Descriptor) error {
	ctx := c.env.Interrupted
	if c.opts.Bool("query") {
		return c.query(d)
	}
	detached := c.opts.Bool("detached") || c.opts.Bool("yarndetached")
	if id := c.opts.String("applicationId"); id != "" {
		found, err := d.Retrieve(ctx, id)
		if err != nil {
			return err
		}
		if detached {
			yarn.PrintDetached(c.env.console(), clientlog.SessionCLI, found.ID)
			return nil
		}
		return c.attend(d, found, false)
	}
	conf.YarnApplicationID.Set(c.set.conf, "")
	found, err := d.Deploy(ctx, yarn.Deployment{Mode: spec.SessionMode, Attached: !detached})
	if err != nil {
		return failf("Couldn't deploy Yarn session cluster: %w", err)
	}
	c.printf("JobManager Web Interface: %s\n", found.URL)
	if err := writeSessionFile(sessionFile(c.set.conf, c.env), found.ID.String(), c.opts.StringSlice("D"), c.env.Now()); err != nil {
		fmt.Fprintf(c.env.Stderr, "WARNING: %v: commands have to name the session with -Dyarn.application.id=%s.\n", err, found.ID)
	}
	if detached {
		yarn.PrintDetached(c.env.console(), clientlog.SessionCLI, found.ID)
		return nil
	}
	return c.attend(d, found, true)
}

// query prints what YARN has.
func (c *command) query(d *yarn.Descriptor) error {
	text, err := d.Query(c.env.Interrupted)
	if err != nil {
		return err
	}
	c.printf("%s", text)
	return nil
}

// attend stays with a session: it reads commands, and ends when the session
// does. own sessions end with this client.
func (c *command) attend(d *yarn.Descriptor, found *yarn.Cluster, own bool) error {
	ctx, cancel := context.WithCancel(c.env.Interrupted)
	var readers sync.WaitGroup
	defer readers.Wait()
	defer cancel()
	commands := make(chan string)
	input := c.lines(ctx, commands)
	readers.Go(input)
	tick := time.NewTicker(sessionPoll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			if !own {
				fmt.Fprintf(c.env.Stderr, "\nThe session %s goes on: echo stop | ./bin/yarn-session.sh -id %s ends it.\n", found.ID, found.ID)
				return &ExitError{Code: exitInterrupt, Quiet: true, Err: context.Canceled}
			}
			return c.endSession(d, found)
		case text := <-commands:
			switch text {
			case "stop", "quit":
				return c.endSession(d, found)
			case "":
			case "help":
				fmt.Fprintln(c.env.Stderr, sessionHelp)
			default:
				fmt.Fprintf(c.env.Stderr, "Unknown command '%s'. Showing help:\n%s\n", text, sessionHelp)
			}
		case <-tick.C:
			report, err := d.Report(ctx, found.ID)
			if err != nil {
				c.env.log.Warn("the state of the session cannot be asked for", "application", found.ID, "error", err)
			} else if report.State.Ended() {
				return c.sessionEnded(report)
			}
		}
	}
}

// lines returns the loop that reads commands from standard input. A terminal
// cannot be interrupted in a read: the loop leaves the last read behind when
// the process ends, so the read runs beside it.
func (c *command) lines(ctx context.Context, commands chan<- string) func() {
	read := make(chan string)
	go func() { // ends with standard input, or with the process: see internal/lint
		sc := bufio.NewScanner(c.env.Stdin)
		for sc.Scan() {
			select {
			case read <- strings.TrimSpace(sc.Text()):
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() {
		for {
			select {
			case <-ctx.Done():
				return
			case text := <-read:
				select {
				case commands <- text:
				case <-ctx.Done():
					return
				}
			}
		}
	}
}

// endSession tells the cluster to end, waits for it, and kills it when it does
// not.
func (c *command) endSession(d *yarn.Descriptor, found *yarn.Cluster) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.env.Interrupted), cancelTime)
	defer cancel()
	cl, err := newCluster(found.URL, found.Secret, c.set.conf)
	if err == nil {
		err = cl.Shutdown(ctx)
	}
	if err != nil {
		c.env.log.Warn("the session does not take the order to end", "application", found.ID, "error", err)
	}
	if err := (&onYarnApp{d: d, id: found.ID}).end(err == nil); err != nil {
		return failf("Error while shutting down the session %s: %w", found.ID, err)
	}
	report, err := d.Report(context.WithoutCancel(c.env.Interrupted), found.ID)
	if err != nil {
		return err
	}
	return c.sessionEnded(report)
}

// sessionEnded removes the note of the session and prints how it ended.
func (c *command) sessionEnded(r yarnrpc.Report) error {
	console := c.env.console()
	file := sessionFile(c.set.conf, c.env)
	if removed, err := removeSessionFile(file, r.ID.String()); err != nil {
		fmt.Fprintf(c.env.Stderr, "WARNING: the Yarn properties file %s could not be removed: %v\n", file, err)
	} else if removed {
		console.Infof(clientlog.SessionCLI, "Deleted Yarn properties file at %s", file)
	}
	console.Infof(clientlog.SessionCLI, "Application %s finished with state %s and final state %s at %d", r.ID, r.State, r.FinalStatus, r.FinishTime.UnixMilli())
	if r.State == yarnrpc.AppFailed {
		console.Warnf(clientlog.SessionCLI, "Application %s failed. Diagnostics: %s\nIf log aggregation is activated in the Hadoop cluster, we recommend to retrieve the full application log using this command:\n\tyarn logs -applicationId %s\n(It sometimes takes a few seconds until the logs are aggregated)", r.ID, strings.TrimSpace(r.Diagnostics), r.ID)
		return errors.New("the session " + r.ID.String() + " failed: " + strings.TrimSpace(r.Diagnostics))
	}
	return nil
}
