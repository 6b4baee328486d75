´
"serve*2.15.12weighinL

xPlaceholder*
dtype0
$
tWordpieceTokenizeWithOffsetsx"ÚJ
saver_filename:0StatefulPartitionedCall:0StatefulPartitionedCall_18