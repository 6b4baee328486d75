·
"serve*2.15.12weighinÎ

xPlaceholder*
dtype0
R
StatefulPartitionedCallStatefulPartitionedCallx