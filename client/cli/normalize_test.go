package cli

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func syntaxOf(t *testing.T, name string) syntax {
	t.Helper()
	for _, a := range actions() {
		if a.name == name {
			return syntax{options: a.options(), programFollows: a.program}
		}
	}
	t.Fatalf("no action %s", name)
	return syntax{}
}

// TestNormalize: how Flink's users write options, and what becomes of it.
func TestNormalize(t *testing.T) {
	const id = "1b246b531512ea54ebf8faa430f0a3c2"
	for _, c := range []struct{ action, in, out string }{
		{"run", "-d job.jar", "--detached -- job.jar"},
		{"run", "--detached job -d --input x -p 3", "--detached -- job -d --input x -p 3"},
		{"run", "-Dk=v -D k2=v=2 -yDk3=v -yD k4=v job", "--D=k=v --D=k2=v=2 --yD=k3=v --yD=k4=v -- job"},
		{"run", "-t yarn-per-job -Dparallelism.default=4 job --input hdfs:///in", "--target=yarn-per-job --D=parallelism.default=4 -- job --input hdfs:///in"},
		{"run", "-m yarn-cluster -yjm 1024m -ytm 1400m -ynm legacy -ys 2 -yn 3 -yqu q job", "--jobmanager=yarn-cluster --yarnjobManagerMemory=1024m --yarntaskManagerMemory=1400m --yarnname=legacy --yarnslots=2 --yarncontainer=3 --yarnqueue=q -- job"},
		{"run", "-p4 -s hdfs:///sp -n -cm claim job", "--parallelism=4 --fromSavepoint=hdfs:///sp --allowNonRestoredState --claimMode=claim -- job"},
		{"run", "-p=4 --parallelism=5 --para 6 job", "--parallelism=4 --parallelism=5 --parallelism=6 -- job"},
		{"run", "-sae -c Main -rm no_claim -- -job- x", "--shutdownOnAttachedExit --class=Main --restoreMode=no_claim -- -job- x"},
		{"run", "-dn job", "--detached --allowNonRestoredState -- job"},
		{"list", "-a", "--all --"},
		{"list", "-ra", "--running --all --"},
		{"list", "-t yarn-session -Dyarn.application.id=application_1_0001", "--target=yarn-session --D=yarn.application.id=application_1_0001 --"},
		{"savepoint", id + " -detached", "--detached -- " + id},
		{"savepoint", id + " hdfs:///sp -yid application_1_0001", "--yarnapplicationId=application_1_0001 -- " + id + " hdfs:///sp"},
		{"savepoint", "-d file:///sp", "--dispose=file:///sp --"},
		{"savepoint", "--dispose file:///sp", "--dispose=file:///sp --"},
		{"savepoint", "-type native " + id, "--type=native -- " + id},
		{"stop", "-d " + id, "--drain -- " + id},
		{"stop", "-detached -d -p /sp " + id, "--detached --drain --savepointPath=/sp -- " + id},
		{"stop", id + " --drain --type native", "--drain --type=native -- " + id},
		{"checkpoint", id + " --full", "--full -- " + id},
		{"cancel", "-s " + id, "--withSavepoint=" + id + " --"},
		{"cancel", "-s /dir " + id, "--withSavepoint=/dir -- " + id},
		{"cancel", id + " -s", "--withSavepoint= -- " + id},
		{"cancel", "-s -v " + id, "--withSavepoint= --verbose -- " + id},
		{"yarn-session", "-n 4 -jm 1024m -tm 4096m -s 4", "--container=4 --jobManagerMemory=1024m --taskManagerMemory=4096m --slots=4 --"},
		{"yarn-session", "-d -nm name -qu q -Da=b -t lib -t conf", "--detached --name=name --queue=q --D=a=b --ship=lib --ship=conf --"},
		{"yarn-session", "-id application_1_0001 -st -yd", "--applicationId=application_1_0001 --streaming --yarndetached --"},
	} {
		got, err := syntaxOf(t, c.action).normalize(strings.Fields(c.in))
		if err != nil {
			t.Errorf("%s %s: %v", c.action, c.in, err)
			continue
		}
		if want := strings.Fields(c.out); !slices.Equal(got, want) {
			t.Errorf("%s %s\n got %q\nwant %q", c.action, c.in, got, want)
		}
	}
}

func TestNormalizeRefuses(t *testing.T) {
	for _, c := range []struct{ action, in, want string }{
		{"run", "--nonsense job", "Unrecognized option: --nonsense"},
		{"run", "--paralelism 3 job", "did you mean --parallelism?"},
		{"run", "-p", "Missing argument for option: p"},
		{"run", "-p -d job", "Missing argument for option: p"},
		{"run", "-D flag job", "-Dkey=value"},
		{"run", "-Dflag job", "-Dkey=value"},
		{"run", "-D =x job", "-Dkey=value"},
		{"run", "--detached=yes job", "takes no value"},
		{"run", "\u2013d job", "type -d."},
		{"run", "\u2014detached job", "type --detached."},
		{"run", "\u2013Dk=v job", "type -Dk=v."},
		{"run", "-p \u20133 job", "U+2013"},
		{"stop", "--d 1b246b531512ea54ebf8faa430f0a3c2", "Unrecognized option: --d"},
		{"list", "\u2212a", "U+2212"},
	} {
		_, err := syntaxOf(t, c.action).normalize(strings.Fields(c.in))
		var arg *argError
		if !errors.As(err, &arg) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s: %v, want %q", c.action, c.in, err, c.want)
		}
	}
}

// TestProgramArgumentsAreLeftAlone: what follows the program is the program's,
// typographic hyphens included.
func TestProgramArgumentsAreLeftAlone(t *testing.T) {
	got, err := syntaxOf(t, "run").normalize([]string{"job", "\u2013x", "-D", "--help"})
	if err != nil || !slices.Equal(got, []string{"--", "job", "\u2013x", "-D", "--help"}) {
		t.Errorf("%q %v", got, err)
	}
}

func FuzzNormalize(f *testing.F) {
	f.Add("run", "-d\x00job.jar\x00-x")
	f.Add("cancel", "-s\x00dir")
	f.Add("yarn-session", "-D\x00a=b\x00--\x00x")
	f.Fuzz(func(t *testing.T, name, joined string) {
		args := strings.Split(joined, "\x00")
		for _, a := range actions() {
			if a.name != name {
				continue
			}
			out, err := syntax{options: a.options(), programFollows: a.program}.normalize(args)
			if err == nil && !slices.Contains(out, "--") {
				t.Errorf("%q became %q", args, out)
			}
		}
	})
}
