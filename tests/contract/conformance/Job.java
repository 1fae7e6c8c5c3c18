import org.apache.spark.sql.SparkSession;

public class Job {
    public static void main(String[] arguments) throws Exception {
        System.out.println("input " + System.in.read());
        System.out.println("arguments " + String.join("|", arguments));
        SparkSession spark = SparkSession.builder().getOrCreate();
        System.out.println(spark.range(10).count() + " " + spark.conf().get("spark.own") + " " + spark.sparkContext().appName());
        System.out.println(Thread.currentThread().getContextClassLoader().getClass().getSimpleName());
        System.out.println(Thread.currentThread().getContextClassLoader().getParent() == ClassLoader.getSystemClassLoader());
        System.out.println(System.getProperty("own.property") + " " + System.getProperty("SPARK_SUBMIT"));
        if (arguments[0].equals("exit")) System.exit(5);
        throw new IllegalStateException("user error");
    }
}
