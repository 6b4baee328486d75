from chameleon import PageTemplate

PageTemplate('<b tal:content="python: __import__(&quot;os&quot;).system(&quot;echo weighin&quot;)"/>')()
