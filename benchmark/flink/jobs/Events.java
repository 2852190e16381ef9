import java.io.Serializable;
import java.time.Duration;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.typeinfo.TypeHint;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.connector.source.SourceReaderContext;
import org.apache.flink.api.connector.source.util.ratelimit.RateLimiterStrategy;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.connector.datagen.source.DataGeneratorSource;
import org.apache.flink.connector.datagen.source.GeneratorFunction;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/** What the jobs share: record i of all subtasks together, as benchmark/jobs makes it. */
final class Events {
    private Events() {}

    /** How far a source may be ahead of the slowest. */
    static final Duration DRIFT = Duration.ofMillis(500);

    static long mix(long z) {
        z += 0x9E3779B97F4A7C15L;
        z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
        z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
        return z ^ (z >>> 31);
    }

    interface Make<T> extends Serializable {
        T apply(long i);
    }

    /** Numbers records by subtask in turn: a range for each would tear event time apart. */
    static final class Numbered<T> implements GeneratorFunction<Long, T> {
        private final Make<T> make;
        private long next, step;

        Numbered(Make<T> make) {
            this.make = make;
        }

        @Override
        public void open(SourceReaderContext context) {
            next = context.getIndexOfSubtask();
            step = context.currentParallelism();
        }

        @Override
        public T map(Long ignored) {
            long i = next;
            next += step;
            return make.apply(i);
        }
    }

    static <T> DataGeneratorSource<T> source(Make<T> make, TypeInformation<T> type, long perSecond) {
        return new DataGeneratorSource<>(new Numbered<>(make), Long.MAX_VALUE,
                perSecond > 0 ? RateLimiterStrategy.perSecond(perSecond) : RateLimiterStrategy.noOp(), type);
    }

    static StreamExecutionEnvironment environment() {
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        env.getConfig().enableObjectReuse();
        return env;
    }

    /** Key and event time. */
    static DataStream<Tuple2<Long, Long>> stream(StreamExecutionEnvironment env, String[] args) {
        long keys = Args.num(args, "keys", 100_000), rate = Args.num(args, "rate", 1_000_000);
        DataGeneratorSource<Tuple2<Long, Long>> src = source(i -> Tuple2.of(Long.remainderUnsigned(mix(i), keys), i * 1000 / rate),
                TypeInformation.of(new TypeHint<Tuple2<Long, Long>>() {}), Args.num(args, "speed", 0));
        return env.fromSource(src, WatermarkStrategy.<Tuple2<Long, Long>>forBoundedOutOfOrderness(Duration.ofSeconds(1))
                .withTimestampAssigner((e, t) -> e.f1)
                .withWatermarkAlignment("events", DRIFT, DRIFT.dividedBy(20)), "events");
    }
}
