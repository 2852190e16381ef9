import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.RichFlatMapFunction;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.TypeHint;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.RichSinkFunction;
import org.apache.flink.util.Collector;

/** The way of a record from the source through an exchange by key to the sink; see benchmark/jobs. */
public class Latency {
    public static void main(String[] args) throws Exception {
        long keys = Args.num(args, "keys", 100_000);
        String report = Args.text(args, "report");
        StreamExecutionEnvironment env = Events.environment();
        TypeInformation<Tuple2<Long, Long>> type = TypeInformation.of(new TypeHint<Tuple2<Long, Long>>() {});
        env.fromSource(Events.source(i -> Tuple2.of(Long.remainderUnsigned(Events.mix(i), keys), System.nanoTime()), type, Args.num(args, "speed", 0)),
                        WatermarkStrategy.noWatermarks(), "records")
                .keyBy(e -> e.f0, Types.LONG)
                .flatMap(new Pass()).returns(type).uid("pass")
                .addSink(new Latencies(report));
        env.execute("Latency");
    }

    static final class Pass extends RichFlatMapFunction<Tuple2<Long, Long>, Tuple2<Long, Long>> {
        private transient ValueState<Long> count;

        @Override
        public void open(Configuration parameters) {
            count = getRuntimeContext().getState(new ValueStateDescriptor<>("count", Types.LONG));
        }

        @Override
        public void flatMap(Tuple2<Long, Long> v, Collector<Tuple2<Long, Long>> out) throws Exception {
            Long c = count.value();
            count.update(c == null ? 1 : c + 1);
            out.collect(v);
        }
    }

    /** A histogram with 32 buckets for each power of two, written as JSON each second. */
    static final class Latencies extends RichSinkFunction<Tuple2<Long, Long>> {
        private static final int SUB_BITS = 5;
        private final String report;
        private transient long[] buckets;
        private transient long next;

        Latencies(String report) {
            this.report = report;
        }

        @Override
        public void open(Configuration parameters) {
            buckets = new long[64 << SUB_BITS];
        }

        @Override
        public void invoke(Tuple2<Long, Long> v, Context context) throws IOException {
            long now = System.nanoTime();
            buckets[bucket(Math.max(1, now - v.f1))]++;
            if (now - next >= 0 || next == 0) {
                next = now + 1_000_000_000L;
                save();
            }
        }

        private static int bucket(long ns) {
            int e = 63 - Long.numberOfLeadingZeros(ns);
            return e < SUB_BITS ? (int) ns : (e - SUB_BITS + 1) << SUB_BITS | (int) (ns >>> (e - SUB_BITS)) & ((1 << SUB_BITS) - 1);
        }

        private static long lowerBound(int b) {
            int e = b >>> SUB_BITS;
            return e == 0 ? b : (1L << SUB_BITS | b & ((1 << SUB_BITS) - 1)) << (e - 1);
        }

        private void save() throws IOException {
            StringBuilder out = new StringBuilder("{");
            for (int b = 0; b < buckets.length; b++) {
                if (buckets[b] > 0) {
                    out.append(out.length() > 1 ? "," : "").append('"').append(lowerBound(b)).append("\":").append(buckets[b]);
                }
            }
            Path file = Path.of(report + "." + getRuntimeContext().getTaskInfo().getIndexOfThisSubtask());
            Path tmp = Path.of(file + ".tmp");
            Files.write(tmp, out.append('}').toString().getBytes(StandardCharsets.UTF_8));
            Files.move(tmp, file, StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.ATOMIC_MOVE);
        }
    }
}
