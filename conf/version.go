package conf

// Version and Commit are what the programs report: flink --version, GET /config, logs. The build sets them with
// -ldflags "-X goflink/conf.Version=… -X goflink/conf.Commit=…".
var (
	Version = "0.1.0"
	Commit  = "unknown"
)

// FlinkVersion is the release of Flink whose commands, keys and REST API goflink follows.
const FlinkVersion = "1.20.3"
