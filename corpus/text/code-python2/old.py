print "loss", loss
exec "x = 1"
