package cli

import (
	"errors"

	"goflink/conf"
	"goflink/control"
)

// openRest speaks to the JobManager at base.
func openRest(base string, _ control.Secret, _ *conf.Config) (cluster, error) {
	return nil, errors.New("no client for " + base)
}

// standaloneSecret is the secret of a cluster that is not on YARN.
func (e *Env) standaloneSecret(_ *conf.Config) (control.Secret, error) { return nil, nil }

// isAnswer tells whether an error is the JobManager's answer, and not that
// there was none.
func isAnswer(error) bool { return false }
