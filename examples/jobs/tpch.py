"""Run TPC-H's queries 1, 3 and 6 over its tables as Parquet: tpch.py <input prefix> <output prefix>."""

import sys
import time

from pyspark.sql import SparkSession

TABLES = ("customer", "lineitem", "orders")

QUERIES = {
    "q1": """
        select l_returnflag, l_linestatus,
               sum(l_quantity) as sum_qty,
               sum(l_extendedprice) as sum_base_price,
               sum(l_extendedprice * (1 - l_discount)) as sum_disc_price,
               sum(l_extendedprice * (1 - l_discount) * (1 + l_tax)) as sum_charge,
               avg(l_quantity) as avg_qty,
               avg(l_extendedprice) as avg_price,
               avg(l_discount) as avg_disc,
               count(*) as count_order
        from lineitem
        where l_shipdate <= date '1998-12-01' - interval '90' day
        group by l_returnflag, l_linestatus
        order by l_returnflag, l_linestatus
    """,
    "q3": """
        select l_orderkey, sum(l_extendedprice * (1 - l_discount)) as revenue, o_orderdate, o_shippriority
        from customer
        join orders on c_custkey = o_custkey
        join lineitem on l_orderkey = o_orderkey
        where c_mktsegment = 'BUILDING' and o_orderdate < date '1995-03-15' and l_shipdate > date '1995-03-15'
        group by l_orderkey, o_orderdate, o_shippriority
        order by revenue desc, o_orderdate
        limit 10
    """,
    "q6": """
        select sum(l_extendedprice * l_discount) as revenue
        from lineitem
        where l_shipdate >= date '1994-01-01' and l_shipdate < date '1995-01-01'
          and l_discount between 0.05 and 0.07 and l_quantity < 24
    """,
}


def main(source: str, target: str) -> None:
    spark = SparkSession.builder.appName("tpch").getOrCreate()
    for table in TABLES:
        spark.read.parquet(f"{source.rstrip('/')}/{table}.parquet").createOrReplaceTempView(table)
    for name, query in QUERIES.items():
        began = time.monotonic()
        answer = spark.sql(query).cache()
        rows = answer.count()
        print(f"{name}: {rows} rows in {time.monotonic() - began:.1f} s", flush=True)
        answer.show(truncate=False)
        answer.coalesce(1).write.mode("overwrite").parquet(f"{target.rstrip('/')}/{name}/")
    spark.stop()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
