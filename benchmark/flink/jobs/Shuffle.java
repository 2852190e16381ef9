import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.typeinfo.TypeHint;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.java.tuple.Tuple4;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;

/** Records sent to other processes and dropped there; see benchmark/jobs. */
public class Shuffle {
    public static void main(String[] args) throws Exception {
        StreamExecutionEnvironment env = Events.environment();
        env.fromSource(Events.source(i -> Tuple4.of(i, i * 31, i / 3.0, "sixteen bytes it"),
                        TypeInformation.of(new TypeHint<Tuple4<Long, Long, Double, String>>() {}), 0), WatermarkStrategy.noWatermarks(), "records")
                .rebalance().sinkTo(new DiscardingSink<>());
        env.execute("Shuffle");
    }
}
