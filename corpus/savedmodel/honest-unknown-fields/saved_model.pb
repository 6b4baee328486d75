ª8note%
"serve*2.15.1

xPlaceholder