// Evaluates every rule of MAL files with SkyWalking's own analyzer (10.1.0) on two scrapes, and writes one JSON line for
// each value: java -cp 'lib/*' MalCheck.java first.txt second.txt secondsBetween rules.yaml...
// The labels that a collector adds must be in the scrapes already.

import com.google.common.collect.ImmutableMap;
import com.google.gson.Gson;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.skywalking.oap.meter.analyzer.dsl.DSL;
import org.apache.skywalking.oap.meter.analyzer.dsl.Expression;
import org.apache.skywalking.oap.meter.analyzer.dsl.FilterExpression;
import org.apache.skywalking.oap.meter.analyzer.dsl.Result;
import org.apache.skywalking.oap.meter.analyzer.dsl.Sample;
import org.apache.skywalking.oap.meter.analyzer.dsl.SampleFamily;
import org.apache.skywalking.oap.meter.analyzer.dsl.SampleFamilyBuilder;
import org.apache.skywalking.oap.server.core.analysis.meter.MeterEntity;
import org.apache.skywalking.oap.server.core.config.NamingControl;
import org.apache.skywalking.oap.server.core.config.group.EndpointNameGrouping;
import org.yaml.snakeyaml.Yaml;

public class MalCheck {
    static final Pattern LINE = Pattern.compile("^([A-Za-z_:][\\w:]*)(?:\\{(.*)\\})?\\s+(\\S+)");
    static final Pattern LABEL = Pattern.compile("(\\w+)=\"([^\"]*)\"");

    /** As it arrives by OTLP: buckets under the name of their histogram. */
    static Map<String, SampleFamily> scrape(String file, long atMs) throws Exception {
        Map<String, List<Sample>> byName = new LinkedHashMap<>();
        for (String line : Files.readAllLines(Path.of(file))) {
            Matcher match = LINE.matcher(line);
            if (line.startsWith("#") || !match.find()) continue;
            Map<String, String> labels = new TreeMap<>();
            if (match.group(2) != null) {
                Matcher label = LABEL.matcher(match.group(2));
                while (label.find()) labels.put(label.group(1), label.group(2));
            }
            String name = labels.containsKey("le") ? match.group(1).replaceFirst("_bucket$", "") : match.group(1);
            byName.computeIfAbsent(name, any -> new ArrayList<>()).add(Sample.builder().name(name)
                .labels(ImmutableMap.copyOf(labels)).value(Double.parseDouble(match.group(3).replace("+Inf", "Infinity")))
                .timestamp(atMs).build());
        }
        Map<String, SampleFamily> families = new HashMap<>();
        byName.forEach((name, samples) ->
            families.put(name, SampleFamilyBuilder.newBuilder(samples.toArray(new Sample[0])).build()));
        return families;
    }

    /** What came later than 10.1.0: safeDiv differs only where the divisor is 0, the layer is from 10.3 on. */
    static String translated(String text) {
        return text.replace(".safeDiv(", ".div(").replace("Layer.BANYANDB", "Layer.GENERAL");
    }

    static Result evaluate(String name, String expression, String filter, String[] args) throws Exception {
        Expression parsed = DSL.parse(name, expression);
        List<String> needed = parsed.parse().getSamples();
        long nowMs = System.currentTimeMillis();
        Result result = null;
        for (int i = 0; i < 2; i++) {
            Map<String, SampleFamily> samples = scrape(args[i], nowMs + i * 1000L * Long.parseLong(args[2]));
            samples.keySet().retainAll(needed);
            samples = new HashMap<>(new FilterExpression(filter).filter(samples));
            List<String> missing = new ArrayList<>(needed);
            missing.removeAll(samples.keySet());
            if (!missing.isEmpty()) throw new IllegalStateException("no samples of " + missing);
            result = parsed.run(samples);
        }
        if (!result.isSuccess()) throw new IllegalStateException("no result: " + result.getError());
        return result;
    }

    @SuppressWarnings("unchecked")
    public static void main(String[] args) throws Exception {
        Gson json = new Gson();
        MeterEntity.setNamingControl(new NamingControl(70, 70, 150, new EndpointNameGrouping()));
        for (int file = 3; file < args.length; file++) {
            Map<String, Object> rules = new Yaml().load(translated(Files.readString(Path.of(args[file]))));
            for (Map<String, String> rule : (List<Map<String, String>>) rules.get("metricsRules")) {
                String name = rules.get("metricPrefix") + "_" + rule.get("name");
                try {
                    String expression = "(" + rule.get("exp") + ")." + rules.get("expSuffix");
                    Result result = evaluate(name, expression, (String) rules.get("filter"), args);
                    result.getData().context.getMeterSamples().forEach((entity, samples) -> {
                        for (Sample sample : samples)
                            System.out.println(json.toJson(Map.of("name", name, "labels", sample.getLabels(),
                                "value", sample.getValue(), "service", String.valueOf(entity.getServiceName()),
                                "instance", String.valueOf(entity.getInstanceName()),
                                "endpoint", String.valueOf(entity.getEndpointName()))));
                    });
                } catch (Throwable problem) {
                    System.out.println(json.toJson(Map.of("name", name, "problem", String.valueOf(problem.getMessage()))));
                }
            }
        }
    }
}
