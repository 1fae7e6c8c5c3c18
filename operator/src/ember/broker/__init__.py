"""The HTTPS server that workers, Spark drivers and log agents speak to. It never imports kopf and builds no pods."""
