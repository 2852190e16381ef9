package main

// outerClasses are the generated Java classes whose descriptors are dumped (their imports come along).
var outerClasses = []string{
	"org.apache.hadoop.security.proto.SecurityProtos",
	"org.apache.hadoop.ipc.protobuf.RpcHeaderProtos",
	"org.apache.hadoop.ipc.protobuf.IpcConnectionContextProtos",
	"org.apache.hadoop.ipc.protobuf.ProtobufRpcEngine2Protos",
	"org.apache.hadoop.yarn.proto.YarnSecurityTokenProtos",
	"org.apache.hadoop.yarn.proto.ApplicationClientProtocol",
	"org.apache.hadoop.yarn.proto.ApplicationMasterProtocol",
	"org.apache.hadoop.yarn.proto.ContainerManagementProtocol",
	"org.apache.hadoop.hdfs.protocol.proto.ClientNamenodeProtocolProtos",
}

// rootMessages are needed by themselves: framing, tokens and their identifiers.
var rootMessages = []string{
	".hadoop.common.RpcRequestHeaderProto",
	".hadoop.common.RpcResponseHeaderProto",
	".hadoop.common.RpcSaslProto",
	".hadoop.common.IpcConnectionContextProto",
	".hadoop.common.RequestHeaderProto",
	".hadoop.common.TokenProto",
	".hadoop.common.CredentialsProto",
	".hadoop.yarn.AMRMTokenIdentifierProto",
	".hadoop.yarn.NMTokenIdentifierProto",
	".hadoop.yarn.ContainerTokenIdentifierProto",
	".hadoop.yarn.ClientToAMTokenIdentifierProto",
	".hadoop.yarn.YARNDelegationTokenIdentifierProto",
}

// rootMethods are the remote methods whose requests and answers are kept, by service.
var rootMethods = map[string][]string{
	".hadoop.yarn.ApplicationClientProtocolService": {
		"getNewApplication", "submitApplication", "getApplicationReport", "forceKillApplication", "getApplications",
		"getClusterMetrics", "getClusterNodes", "getQueueInfo", "getDelegationToken", "renewDelegationToken",
		"cancelDelegationToken", "getApplicationAttemptReport", "getApplicationAttempts", "getContainers",
	},
	".hadoop.yarn.ApplicationMasterProtocolService": {
		"registerApplicationMaster", "finishApplicationMaster", "allocate",
	},
	".hadoop.yarn.ContainerManagementProtocolService": {
		"startContainers", "stopContainers", "getContainerStatuses", "signalToContainer",
	},
	".hadoop.hdfs.ClientNamenodeProtocol": {
		"getBlockLocations", "getServerDefaults", "create", "append", "setReplication", "setPermission", "setOwner",
		"abandonBlock", "addBlock", "getAdditionalDatanode", "complete", "rename", "rename2", "truncate", "delete",
		"mkdirs", "getListing", "renewLease", "recoverLease", "getFsStats", "getPreferredBlockSize", "setSafeMode",
		"getFileInfo", "isFileClosed", "getContentSummary", "fsync", "setTimes", "updateBlockForPipeline",
		"updatePipeline", "getDelegationToken", "renewDelegationToken", "cancelDelegationToken",
		"getDataEncryptionKey", "getEZForPath", "getErasureCodingPolicy", "msync", "getHAServiceState",
	},
}
