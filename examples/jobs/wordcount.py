"""Count the words of all texts under a prefix: wordcount.py <input prefix> <output prefix>.

A word is what `str.split` makes of a line, so `collections.Counter(text.split())` is the right answer. The CSV that is
written quotes as Python's csv module does.
"""

import sys
from operator import add

from pyspark.sql import SparkSession


def main(source: str, target: str) -> None:
    spark = SparkSession.builder.appName("wordcount").getOrCreate()
    words = spark.sparkContext.textFile(source).flatMap(str.split)
    counts = words.map(lambda word: (word, 1)).reduceByKey(add).toDF("word string, count long")
    counts = counts.coalesce(1).cache()  # the words of many texts still fit one file
    # A second attempt of the run starts over, so what the first has left is replaced.
    counts.write.mode("overwrite").csv(target, header=True, quote='"', escape='"')
    print(f"rows: {counts.count()}")
    spark.stop()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
