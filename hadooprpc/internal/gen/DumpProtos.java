import java.io.FileOutputStream;
import java.util.LinkedHashMap;
import java.util.Map;

import org.apache.hadoop.thirdparty.protobuf.DescriptorProtos.FileDescriptorProto;
import org.apache.hadoop.thirdparty.protobuf.DescriptorProtos.FileDescriptorSet;
import org.apache.hadoop.thirdparty.protobuf.Descriptors.FileDescriptor;

/**
 * Writes the protobuf descriptors that Hadoop's generated classes carry, with all their imports, to a
 * FileDescriptorSet. Hadoop's jars hold no .proto files, but these descriptors are exact.
 *
 * Arguments: the output file, then the names of the generated outer classes.
 */
public class DumpProtos {
  private static final Map<String, FileDescriptorProto> FILES = new LinkedHashMap<>();

  private static void add(FileDescriptor file) {
    if (FILES.containsKey(file.getName())) {
      return;
    }
    for (FileDescriptor dependency : file.getDependencies()) {
      add(dependency);
    }
    FILES.put(file.getName(), file.toProto());
  }

  public static void main(String[] args) throws Exception {
    for (int i = 1; i < args.length; i++) {
      add((FileDescriptor) Class.forName(args[i]).getMethod("getDescriptor").invoke(null));
    }
    try (FileOutputStream out = new FileOutputStream(args[0])) {
      FileDescriptorSet.newBuilder().addAllFile(FILES.values()).build().writeTo(out);
    }
  }
}
